//! The webmail in a real browser, on the demo's two hosts: what people do, what strangers try.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../support/mod.rs"]
mod support;

mod driver;
mod looks;
mod strangers;
mod writing;

use driver::Browser;
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};
use support::{Process, posta};

/// The demo, running.
pub(crate) struct Town {
    told: serde_json::Value,
    _process: Process,
}

impl Town {
    pub(crate) fn start() -> Self {
        let mut child = posta()
            .args(["demo", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let told = serde_json::from_str(&line).expect("the first line is JSON");
        Town { told, _process: Process { child } }
    }

    /// An endpoint of the host of somebody's domain.
    pub(crate) fn endpoint(&self, address: &str, name: &str) -> String {
        let domain = address.split('@').nth(1).expect("a domain");
        let hosts = self.told["hosts"].as_array().expect("hosts");
        let host = hosts.iter().find(|host| host["domain"] == domain).expect("their host");
        host[name].as_str().expect("an endpoint").to_owned()
    }

    fn password(&self, address: &str) -> String {
        let accounts = self.told["accounts"].as_array().expect("accounts");
        let account = accounts.iter().find(|account| account["address"] == address).expect("an account");
        account["password"].as_str().expect("a password").to_owned()
    }

    /// A browser in which somebody is logged in and sees the Inbox.
    pub(crate) fn browser(&self, address: &str) -> Browser {
        let mut browser = Browser::start(1440, 900, false);
        self.log_in(&mut browser, address);
        browser
    }

    pub(crate) fn log_in(&self, browser: &mut Browser, address: &str) {
        browser.open(&self.endpoint(address, "http"));
        browser.write("[name=name]", address);
        browser.write("[name=password]", &self.password(address));
        browser.click("button[type=submit]");
        browser.wait("'ready' in document.documentElement.dataset");
    }
}

/// A script that counts the rows in sight that hold a text.
pub(crate) fn rows_with(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!("[...document.querySelectorAll('.row')].filter((row) => row.innerText.includes({text})).length")
}
