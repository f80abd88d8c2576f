//! A mail reader with a screen: neomutt in tmux, as a person sits before it.

use crate::lab::{BOB, PASSWORD, letter, private_file, run, stranger};
use crate::protocol::{Smtp, fetch_all, wait_for_messages};
use crate::tls::Secure;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Nothing on a screen takes that long unless something is wrong.
const SCREEN_WAIT: Duration = Duration::from_mins(1);

/// A terminal of tmux's, with its own server. Ends when dropped.
struct Screen {
    tmux: PathBuf,
    socket: PathBuf,
}

impl Screen {
    fn start(tmux: &Path, socket: PathBuf, command: &str) -> Self {
        let screen = Screen { tmux: tmux.to_owned(), socket };
        run(screen
            .tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", command])
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm"));
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.tmux);
        command.arg("-u").arg("-S").arg(&self.socket).args(arguments);
        command
    }

    fn shown(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]).output().expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until the screen shows this.
    fn wait(&self, text: &str) -> String {
        let deadline = Instant::now() + SCREEN_WAIT;
        loop {
            let shown = self.shown();
            if shown.contains(text) {
                return shown;
            }
            assert!(Instant::now() < deadline, "{text:?} does not appear on\n{shown}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn press(&self, keys: &[&str]) {
        run(self.tmux(&["send-keys"]).args(keys));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It has ended if the program in it has.
        self.tmux(&["kill-server"]).output().ok();
    }
}

#[test]
fn neomutt_reads_by_pop3_and_answers_by_submission() {
    let (Some(neomutt), Some(tmux)) = (stranger("neomutt"), stranger("tmux")) else { return };
    let secure = Secure::start();
    let posta = &secure.host.posta;
    let mut client = Smtp::connect(posta.smtp).expect("connects");
    client.send("alice@north.example", &[BOB], &letter("for a screen")).expect("accepted");
    client.quit().expect("says goodbye");
    let user = BOB.replace('@', "%40");
    let home = secure.host.folder.path();
    let editor = secure.host.file("editor", "#!/bin/sh\necho 'An answer.' >> \"$1\"\n");
    // Left to itself it takes SCRAM-SHA-256-PLUS, and then finds that it can't tell its library of the channel.
    let config = private_file(
        &secure.host,
        "muttrc",
        &format!(
            "set from='{BOB}'\nset realname='Bob'\nset folder='{home}'\nset record=''\nset postponed=''\n\
             set pop_user='{BOB}'\nset pop_pass='{PASSWORD}'\nset smtp_pass='{PASSWORD}'\nset smtp_url='smtps://{user}@localhost:{}/'\n\
             set spoolfile='pops://localhost:{}/'\nset ssl_force_tls=yes\nset ssl_verify_host=yes\n\
             set ssl_ca_certificates_file='{}'\nset editor='sh {}'\nset pop_checkinterval=1\n\
             set pop_authenticators='user'\nset smtp_authenticators='plain'\n\
             set sort=unsorted\nset pop_delete=yes\nset quit=yes\nset delete=yes\n\
             set message_cachedir=''\nset header_cache=''\n",
            secure.submissions.port(),
            secure.pop3s.port(),
            secure.ca.display(),
            editor.display(),
            home = home.display(),
        ),
    );
    let command = format!("HOME='{}' '{}' -n -F '{}'", home.display(), neomutt.display(), config.display());
    let screen = Screen::start(&tmux, home.join("tmux"), &command);
    screen.wait("for a screen");
    screen.press(&["Enter"]);
    let shown = screen.wait("Grüße aus dem Süden");
    assert!(shown.contains("Alice <alice@north.example>") && shown.contains("..two dots"), "{shown}");
    screen.press(&["q"]);
    screen.wait("for a screen");
    // A letter to himself.
    screen.press(&["m"]);
    screen.wait("\nTo:");
    screen.press(&["-l", BOB]);
    screen.press(&["Enter"]);
    screen.wait("\nSubject:");
    screen.press(&["-l", "by neomutt"]);
    screen.press(&["Enter"]);
    screen.wait("y:Send");
    screen.press(&["y"]);
    assert_eq!(wait_for_messages(posta.pop3, BOB, PASSWORD, 2, SCREEN_WAIT), 2, "{}", screen.shown());
    let held = fetch_all(posta.pop3, BOB, PASSWORD).expect("bob reads his mail");
    let sent = String::from_utf8_lossy(&held[1]).into_owned();
    for part in ["with ESMTPSA", "\r\nSubject: by neomutt\r\n", "\r\nAn answer.\r\n"] {
        assert!(sent.contains(part), "{part} is missing:\n{sent}");
    }
    // What is deleted on the screen is gone here once the reader has ended.
    screen.press(&["d"]);
    screen.press(&["q"]);
    let deadline = Instant::now() + SCREEN_WAIT;
    while fetch_all(posta.pop3, BOB, PASSWORD).expect("bob reads his mail").len() > 1 {
        assert!(Instant::now() < deadline, "nothing is deleted:\n{}", screen.shown());
        std::thread::sleep(Duration::from_millis(100));
    }
}
