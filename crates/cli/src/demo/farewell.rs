//! What is printed around the trip: the endpoints, the people, and what to try.

use super::{Town, host::DemoHost};
use crate::output::{FAINT, STRONG, styled};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Endpoints {
    hosts: Vec<HostEndpoints>,
    dns: String,
    /// The file with the certificate of the authority that vouches for the hosts.
    ca: String,
    accounts: Vec<AccountEntry>,
}

#[derive(Serialize)]
struct HostEndpoints {
    name: &'static str,
    domain: &'static str,
    smtp: String,
    pop3: String,
    submission: String,
    submissions: String,
    pop3s: String,
    lmtp: String,
    /// The webmail's address.
    http: String,
}

#[derive(Serialize)]
struct AccountEntry {
    address: &'static str,
    password: &'static str,
    apop_secret: &'static str,
}

fn hosts(town: &Town) -> [&DemoHost; 2] {
    [&town.north, &town.south]
}

/// One line of JSON for programs.
pub(crate) fn endpoints(town: &Town) -> serde_json::Result<String> {
    let host = |host: &DemoHost| HostEndpoints {
        name: host.organisation.host,
        domain: host.organisation.domain,
        smtp: host.endpoints.smtp.to_string(),
        pop3: host.endpoints.pop3.to_string(),
        submission: host.endpoints.submission.to_string(),
        submissions: host.endpoints.submissions.to_string(),
        pop3s: host.endpoints.pop3s.to_string(),
        lmtp: host.endpoints.lmtp.to_string(),
        http: host.webmail(),
    };
    let people = hosts(town).into_iter().flat_map(|host| &host.organisation.people);
    let accounts = people.map(|person| AccountEntry {
        address: person.address,
        password: person.password,
        apop_secret: person.password,
    });
    let endpoints = Endpoints {
        hosts: hosts(town).into_iter().map(host).collect(),
        dns: town.dns.to_string(),
        ca: town.ca.display().to_string(),
        accounts: accounts.collect(),
    };
    serde_json::to_string(&endpoints)
}

/// What there is.
pub(crate) fn greet(town: &Town) {
    let say = |text: String| town.stage.say(&text);
    say(styled(STRONG, "A little internet of mail, on this machine only."));
    for host in hosts(town) {
        let organisation = host.organisation;
        let people: Vec<&str> = organisation.people.iter().map(|person| person.address).collect();
        say(format!(
            "  {:<14} {} speaks SMTP at {} and POP3 at {}; {} live there",
            organisation.domain,
            styled(STRONG, organisation.host),
            host.endpoints.smtp,
            host.endpoints.pop3,
            people.join(" and ")
        ));
    }
    say(format!("  the DNS is at {}", town.dns));
    say(styled(FAINT, "  C: is what the client says, S: the server; each dialogue has a number."));
}

/// What can be done with it now.
pub(crate) fn say(town: &Town, folder: &Path, once: bool) {
    let say = |text: String| town.stage.say(&text);
    if once {
        say(format!("\n{}", styled(STRONG, "● The letter arrived as it was written.")));
        return;
    }
    say(format!("\n{}", styled(STRONG, "● It stays up until Ctrl-C. Everything said to it is shown here.")));
    for host in hosts(town) {
        let organisation = host.organisation;
        let there = host.endpoints;
        say(format!("  {:<18} SMTP {}   POP3 {}", organisation.host, there.smtp, there.pop3));
        say(format!(
            "  {:<18} submission {}; inside TLS: submissions {}, POP3S {}; LMTP {}",
            "", there.submission, there.submissions, there.pop3s, there.lmtp
        ));
        say(format!("  {:<18} webmail {}", "", styled(STRONG, host.webmail())));
        for person in &organisation.people {
            say(format!("    {:<22} password and APOP secret: {}", person.address, person.password));
        }
        for (address, members) in organisation.aliases {
            say(format!("    {address:<22} is an alias of {}", members.join(", ")));
        }
        for (address, _, _, members) in organisation.lists {
            say(format!("    {address:<22} is a list: {}", members.join(", ")));
        }
    }
    say(format!("  {:<18} {}", "CA", town.ca.display()));
    say(format!("  {:<18} {}   (dig @127.0.0.1 -p {} mx south.example)", "DNS", town.dns, town.dns.port()));
    say("\n  Try, in another terminal:\n".into());
    for command in commands(town) {
        say(format!("    {}", styled(STRONG, command)));
    }
    say("\n  And as the operator of the northern host, after the first of them:\n".into());
    say(format!("    {}\n", styled(STRONG, operators_command(folder))));
}

/// Commands that work when pasted.
fn commands(town: &Town) -> [String; 3] {
    let [bob, _] = &town.south.organisation.people;
    let (north_smtp, south_pop3) = (town.north.endpoints.smtp, town.south.endpoints.pop3);
    [
        format!(
            "printf 'From: carol@north.example\\nSubject: to all friends\\n\\nHello!\\n' | curl -sS --crlf -T - \
             smtp://{north_smtp} --mail-from carol@north.example --mail-rcpt friends@north.example"
        ),
        format!("curl -sS pop3://{south_pop3}/1 -u {}:{}", bob.address, bob.password),
        format!(
            "echo {} | {} mail read 1 --pop3 {south_pop3} --user {} --password-stdin",
            bob.password,
            own_name(),
            bob.address
        ),
    ]
}

/// The operator's view of the first of them.
fn operators_command(folder: &Path) -> String {
    let config = folder.join(super::place::NORTH.name).join("posta.toml");
    format!("{} explain friends@north.example --config {}", own_name(), quoted(&config))
}

/// How this program can be called from the same folder.
fn own_name() -> String {
    let Ok(path) = std::env::current_exe() else { return "posta".into() };
    let here = std::env::current_dir().unwrap_or_default();
    quoted(path.strip_prefix(&here).unwrap_or(&path))
}

/// As a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_for_the_shell() {
        assert_eq!(
            quoted(Path::new("/tmp/posta-demo-x1/north/posta.toml")),
            "/tmp/posta-demo-x1/north/posta.toml"
        );
        assert_eq!(quoted(Path::new("/tmp/it's here")), r"'/tmp/it'\''s here'");
    }
}
