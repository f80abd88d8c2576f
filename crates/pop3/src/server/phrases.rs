//! All texts of the server's replies, in each language, in one table. `{}` stands for what is counted or
//! named, in the order of the table's first column.

use crate::{Argument, CommandError, Language};
use std::{
    borrow::Cow,
    fmt::{Display, Write},
};

macro_rules! phrases {
    ($( $name:ident: $en:literal, $de:literal, $fr:literal, $it:literal, $es:literal; )*) => {
        /// What is to be said.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Phrase { $( $name, )* }

        impl Phrase {
            /// All, for tests.
            #[cfg(test)]
            const ALL: &[Phrase] = &[$( Phrase::$name, )*];

            fn template(self, language: Language) -> &'static str {
                match self {
                    $( Phrase::$name => match language {
                        Language::English => $en,
                        Language::German => $de,
                        Language::French => $fr,
                        Language::Italian => $it,
                        Language::Spanish => $es,
                    }, )*
                }
            }
        }
    };
}

phrases! {
    Ready: "{} POP3 server ready", "{} POP3-Server bereit", "{} serveur POP3 prêt",
        "{} server POP3 pronto", "{} servidor POP3 listo";
    SigningOff: "{} POP3 server signing off", "{} POP3-Server verabschiedet sich",
        "{} le serveur POP3 prend congé", "{} il server POP3 si congeda", "{} el servidor POP3 se despide";
    SigningOffWith: "{} POP3 server signing off ({})", "{} POP3-Server verabschiedet sich ({})",
        "{} le serveur POP3 prend congé ({})", "{} il server POP3 si congeda ({})",
        "{} el servidor POP3 se despide ({})";
    MaildropEmpty: "maildrop empty", "Postfach leer", "boîte vide", "casella vuota", "buzón vacío";
    OneLeft: "1 message left", "noch 1 Nachricht", "reste 1 message", "resta 1 messaggio", "queda 1 mensaje";
    Left: "{} messages left", "noch {} Nachrichten", "restent {} messages", "restano {} messaggi",
        "quedan {} mensajes";

    SendPassword: "send your password", "bitte das Passwort senden", "envoyez votre mot de passe",
        "inviare la password", "envíe su contraseña";
    MaildropHas: "maildrop has {}", "im Postfach: {}", "boîte : {}", "nella casella: {}", "en el buzón: {}";
    OneMessage: "1 message ({} octets)", "1 Nachricht ({} Oktette)", "1 message ({} octets)",
        "1 messaggio ({} ottetti)", "1 mensaje ({} octetos)";
    Messages: "{} messages ({} octets)", "{} Nachrichten ({} Oktette)", "{} messages ({} octets)",
        "{} messaggi ({} ottetti)", "{} mensajes ({} octetos)";
    Octets: "{} octets", "{} Oktette", "{} octets", "{} ottetti", "{} octetos";
    CapabilityList: "capability list follows", "es folgt, was der Server kann",
        "voici la liste des capacités", "segue l'elenco delle funzioni", "sigue la lista de capacidades";
    UniqueIdListing: "unique-id listing follows", "es folgen die eindeutigen Kennungen",
        "voici la liste des identifiants uniques", "segue l'elenco degli identificativi unici",
        "sigue la lista de identificadores únicos";
    TopFollows: "top of message follows", "es folgt der Anfang der Nachricht", "voici le début du message",
        "segue l'inizio del messaggio", "sigue el principio del mensaje";
    Deleted: "message {} deleted", "Nachricht {} gelöscht", "message {} supprimé", "messaggio {} eliminato",
        "mensaje {} eliminado";
    IsDeleted: "message {} is deleted", "Nachricht {} ist gelöscht", "le message {} est supprimé",
        "il messaggio {} è eliminato", "el mensaje {} está eliminado";
    NoSuchMessage: "no such message, only {} in maildrop", "keine solche Nachricht, im Postfach sind nur {}",
        "pas de tel message, il n'y en a que {} dans la boîte",
        "nessun messaggio simile, nella casella ce ne sono solo {}",
        "no existe ese mensaje, en el buzón solo hay {}";

    BeginTls: "begin TLS", "TLS beginnen", "commencez TLS", "iniziare TLS", "inicie TLS";
    TlsOff: "STLS is not offered here", "STLS wird hier nicht angeboten", "STLS n'est pas offert ici",
        "STLS non è offerto qui", "aquí no se ofrece STLS";
    TlsIsOn: "TLS is on already", "TLS läuft schon", "TLS est déjà actif", "TLS è già attivo",
        "TLS ya está activo";
    TlsAfterLogin: "STLS comes before logging in", "STLS kommt vor der Anmeldung",
        "STLS vient avant la connexion", "STLS viene prima dell'accesso",
        "STLS va antes de iniciar la sesión";
    TlsAfterUtf8: "STLS comes before UTF8", "STLS kommt vor UTF8", "STLS vient avant UTF8",
        "STLS viene prima di UTF8", "STLS va antes de UTF8";

    PlainLoginOff: "USER and PASS are not offered here", "USER und PASS werden hier nicht angeboten",
        "USER et PASS ne sont pas offerts ici", "USER e PASS non sono offerti qui",
        "aquí no se ofrecen USER y PASS";
    ApopOff: "APOP is not offered here", "APOP wird hier nicht angeboten", "APOP n'est pas offert ici",
        "APOP non è offerto qui", "aquí no se ofrece APOP";
    UserFirst: "USER comes first", "zuerst kommt USER", "d'abord USER", "prima viene USER",
        "primero va USER";
    LoginFirst: "log in first", "zuerst anmelden", "connectez-vous d'abord", "prima accedere",
        "primero inicie la sesión";
    LoggedIn: "you are logged in already", "schon angemeldet", "vous êtes déjà connecté",
        "accesso già effettuato", "la sesión ya está iniciada";
    TooManyErrors: "too many errors", "zu viele Fehler", "trop d'erreurs", "troppi errori",
        "demasiados errores";
    MechanismUnknown: "no such mechanism here", "kein solches Verfahren hier", "pas de tel mécanisme ici",
        "nessun meccanismo simile qui", "aquí no existe ese mecanismo";
    EncryptionRequired: "begin TLS before sending a password", "vor dem Passwort TLS beginnen",
        "commencez TLS avant d'envoyer un mot de passe", "iniziare TLS prima di inviare una password",
        "inicie TLS antes de enviar una contraseña";
    ExchangeAborted: "authentication aborted", "Anmeldung abgebrochen", "authentification abandonnée",
        "autenticazione interrotta", "autenticación interrumpida";
    NotBase64: "cannot decode base64", "kein gültiges Base64", "base64 illisible", "base64 illeggibile",
        "base64 ilegible";
    ExchangeTooLong: "line too long", "Zeile zu lang", "ligne trop longue", "riga troppo lunga",
        "línea demasiado larga";
    WrongCredentials: "wrong name or password", "Name oder Passwort falsch",
        "nom ou mot de passe incorrect", "nome o password errati", "nombre o contraseña incorrectos";
    LoginLater: "cannot look into the maildrop now, try again later",
        "das Postfach ist gerade nicht zugänglich, bitte später versuchen",
        "la boîte n'est pas accessible pour l'instant, réessayez plus tard",
        "la casella non è accessibile ora, riprovare più tardi",
        "el buzón no está accesible ahora, inténtelo más tarde";
    LoginBroken: "the maildrop cannot be read, please tell the postmaster",
        "das Postfach ist nicht lesbar, bitte den Postmaster verständigen",
        "la boîte est illisible, prévenez le postmaster",
        "la casella non è leggibile, avvisare il postmaster",
        "el buzón no se puede leer, avise al postmaster";
    LoginTooSoon: "you logged in a moment ago, try again in {} s",
        "die letzte Anmeldung ist zu kurz her, bitte in {} s versuchen",
        "vous venez de vous connecter, réessayez dans {} s",
        "l'ultimo accesso è troppo recente, riprovare tra {} s",
        "acaba de iniciar la sesión, inténtelo en {} s";
    ContentUnreadable: "cannot read the message now, try again later",
        "die Nachricht ist gerade nicht lesbar, bitte später versuchen",
        "le message n'est pas lisible pour l'instant, réessayez plus tard",
        "il messaggio non è leggibile ora, riprovare più tardi",
        "el mensaje no se puede leer ahora, inténtelo más tarde";
    ContentDamaged: "the message is damaged, please tell the postmaster",
        "die Nachricht ist beschädigt, bitte den Postmaster verständigen",
        "le message est endommagé, prévenez le postmaster",
        "il messaggio è danneggiato, avvisare il postmaster",
        "el mensaje está dañado, avise al postmaster";
    // RFC 1939 §6: the words of the RFC, which some clients look for.
    NotRemoved: "some deleted messages not removed", "einige gelöschte Nachrichten nicht entfernt",
        "certains messages supprimés n'ont pas été retirés",
        "alcuni messaggi eliminati non sono stati rimossi", "algunos mensajes eliminados no se han quitado";

    Utf8On: "UTF-8 from now on", "von jetzt an UTF-8", "désormais UTF-8", "d'ora in poi UTF-8",
        "desde ahora UTF-8";
    Utf8AfterLogin: "UTF8 comes before logging in", "UTF8 kommt vor der Anmeldung",
        "UTF8 vient avant la connexion", "UTF8 viene prima dell'accesso",
        "UTF8 va antes de iniciar la sesión";
    LanguageListing: "language listing follows", "es folgen die Sprachen", "voici les langues",
        "seguono le lingue", "siguen los idiomas";
    LanguageChanged: "language changed", "Sprache gewechselt", "langue changée", "lingua cambiata",
        "idioma cambiado";
    LanguageUnknown: "no texts in that language", "keine Texte in dieser Sprache",
        "pas de textes dans cette langue", "nessun testo in questa lingua",
        "no hay textos en ese idioma";

    CommandUnknown: "unknown command", "unbekannter Befehl", "commande inconnue", "comando sconosciuto",
        "orden desconocida";
    ArgumentUnexpected: "{} takes no argument", "{} hat kein Argument", "{} ne prend pas d'argument",
        "{} non ha argomenti", "{} no lleva argumento";
    ArgumentNeeded: "{} needs {}", "{} braucht {}", "{} demande {}", "{} richiede {}", "{} necesita {}";
    AName: "a name", "einen Namen", "un nom", "un nome", "un nombre";
    APassword: "a password", "ein Passwort", "un mot de passe", "una password", "una contraseña";
    AMessageNumber: "a message number", "eine Nachrichtennummer", "un numéro de message",
        "un numero di messaggio", "un número de mensaje";
    ANumberAndLines: "a message number and a number of lines",
        "eine Nachrichtennummer und eine Zeilenzahl", "un numéro de message et un nombre de lignes",
        "un numero di messaggio e un numero di righe", "un número de mensaje y un número de líneas";
    ANameAndDigest: "a name and a digest of 32 hexadecimal digits",
        "einen Namen und einen Prüfwert aus 32 Hexadezimalziffern",
        "un nom et une empreinte de 32 chiffres hexadécimaux",
        "un nome e un'impronta di 32 cifre esadecimali",
        "un nombre y un resumen de 32 cifras hexadecimales";
    AMechanism: "a mechanism, and perhaps an initial response",
        "ein Verfahren, vielleicht mit einer ersten Antwort",
        "un mécanisme, et peut-être une première réponse",
        "un meccanismo, e forse una prima risposta",
        "un mecanismo, y quizá una primera respuesta";
    ALanguage: "at most one language", "höchstens eine Sprache", "une langue au plus",
        "al massimo una lingua", "un idioma como máximo";
    BareLineFeed: "lines end with CR LF", "Zeilen enden mit CR LF", "les lignes finissent par CR LF",
        "le righe finiscono con CR LF", "las líneas terminan con CR LF";
    CommandTooLong: "command line too long", "Befehlszeile zu lang", "ligne de commande trop longue",
        "riga di comando troppo lunga", "línea de orden demasiado larga";
    CommandNotText: "command line is not text", "Befehlszeile ist kein Text",
        "la ligne de commande n'est pas du texte", "la riga di comando non è testo",
        "la línea de orden no es texto";
}

impl Phrase {
    /// The text with its places filled.
    pub(super) fn say(self, language: Language, values: &[&dyn Display]) -> Cow<'static, str> {
        let template = self.template(language);
        if values.is_empty() {
            return Cow::Borrowed(template);
        }
        let mut text = String::with_capacity(template.len() + 24);
        let mut values = values.iter();
        for (index, piece) in template.split("{}").enumerate() {
            if index > 0
                && let Some(value) = values.next()
            {
                let written = write!(text, "{value}");
                debug_assert!(written.is_ok(), "a text takes everything");
            }
            text.push_str(piece);
        }
        Cow::Owned(text)
    }

    /// What is wrong with a command.
    pub(super) fn of_error(error: CommandError, language: Language) -> Cow<'static, str> {
        let phrase = match error {
            CommandError::Unknown => Phrase::CommandUnknown,
            CommandError::ArgumentUnexpected(keyword) => {
                return Phrase::ArgumentUnexpected.say(language, &[&keyword]);
            }
            CommandError::ArgumentNeeded(keyword, argument) => {
                let argument = Phrase::of_argument(argument).say(language, &[]);
                return Phrase::ArgumentNeeded.say(language, &[&keyword, &argument]);
            }
            CommandError::BareLineFeed => Phrase::BareLineFeed,
            CommandError::TooLong => Phrase::CommandTooLong,
            CommandError::NotText => Phrase::CommandNotText,
        };
        phrase.say(language, &[])
    }

    fn of_argument(argument: Argument) -> Phrase {
        match argument {
            Argument::Name => Phrase::AName,
            Argument::Password => Phrase::APassword,
            Argument::Number => Phrase::AMessageNumber,
            Argument::NumberAndLines => Phrase::ANumberAndLines,
            Argument::NameAndDigest => Phrase::ANameAndDigest,
            Argument::Mechanism => Phrase::AMechanism,
            Argument::Language => Phrase::ALanguage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::REPLY_LINE_OCTETS_MAX;

    #[test]
    fn every_text_has_the_same_places_in_all_languages_and_fits_a_line() {
        for phrase in Phrase::ALL {
            let places = |language| phrase.template(language).matches("{}").count();
            for language in Language::ALL {
                let text = phrase.template(language);
                assert_eq!(places(language), places(Language::English), "{text}");
                assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
                // Host names and numbers may come into it.
                assert!(text.len() + 255 < REPLY_LINE_OCTETS_MAX, "{text}");
                // RFC 2449 §8: what begins with a bracket would be a response code.
                assert!(!text.starts_with('['), "{text}");
            }
            // RFC 1939 §3: ASCII where no language was chosen.
            assert!(phrase.template(Language::English).is_ascii(), "{phrase:?}");
        }
    }

    #[test]
    fn errors_say_in_english_what_they_display() {
        for error in [
            CommandError::Unknown,
            CommandError::ArgumentUnexpected("STAT"),
            CommandError::ArgumentNeeded("TOP", Argument::NumberAndLines),
            CommandError::ArgumentNeeded("APOP", Argument::NameAndDigest),
            CommandError::ArgumentNeeded("AUTH", Argument::Mechanism),
            CommandError::ArgumentNeeded("USER", Argument::Name),
            CommandError::ArgumentNeeded("PASS", Argument::Password),
            CommandError::ArgumentNeeded("LIST", Argument::Number),
            CommandError::ArgumentNeeded("LANG", Argument::Language),
            CommandError::BareLineFeed,
            CommandError::TooLong,
            CommandError::NotText,
        ] {
            assert_eq!(Phrase::of_error(error, Language::English), error.to_string());
        }
        let german =
            Phrase::of_error(CommandError::ArgumentNeeded("RETR", Argument::Number), Language::German);
        assert_eq!(german, "RETR braucht eine Nachrichtennummer");
    }
}
