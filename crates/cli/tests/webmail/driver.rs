//! A browser that does what it is told: chromium through chromedriver (W3C WebDriver), over plain HTTP.

use crate::support::wait_for;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Keys by their names in WebDriver (§17.4.2).
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
pub(crate) const CONTROL: &str = "\u{e009}";

/// The name under which WebDriver gives elements out (§12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Whether both programs are there. With `CI=true` they must be.
pub(crate) fn is_there() -> bool {
    let found = ["chromedriver", "chromium"].iter().all(|program| {
        let output =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        output.is_ok_and(|status| status.success())
    });
    if !found {
        assert!(std::env::var_os("CI").is_none(), "chromium and chromium-driver are not installed");
        println!("skipped: chromium and chromium-driver are not installed");
    }
    found
}

/// One browser with a profile of its own.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// With a window of this size.
    pub(crate) fn start(width: u32, height: u32, dark: bool) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver runs");
        let mut lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
        let port = lines
            .find_map(|line| {
                line.ok()?.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        // Whoever writes into a pipe that nobody reads stops at some time.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().expect("a folder");
        let mut browser = Browser { driver, port, session: String::new(), _profile: profile };
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--lang=en-GB",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", browser._profile.path().display()));
        arguments.push(format!("--window-size={width},{height}"));
        let options = json!({ "args": arguments });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" }
        } } });
        let begun = browser.ask("POST", "/session", &wanted);
        browser.session = format!("/session/{}", begun["sessionId"].as_str().expect("a session"));
        browser.resize(width, height);
        if dark {
            let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
            browser.command("Emulation.setEmulatedMedia", &json!({ "features": features }));
        }
        browser
    }

    /// Another size, exactly: a window's own edge does not count.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700 });
        self.command("Emulation.setDeviceMetricsOverride", &metrics);
    }

    fn command(&mut self, name: &str, parameters: &Value) -> Value {
        self.on_session("POST", "/goog/cdp/execute", &json!({ "cmd": name, "params": parameters }))
    }

    pub(crate) fn open(&mut self, url: &str) {
        self.on_session("POST", "/url", &json!({ "url": url }));
    }

    /// Runs a script in the page; what it returns.
    pub(crate) fn run(&mut self, script: &str) -> Value {
        self.on_session("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns something that is true.
    pub(crate) fn wait(&mut self, script: &str) -> Value {
        let script = format!("return {script}");
        wait_for(&script.clone(), || {
            let value = self.run(&script);
            let is_true = !matches!(&value, Value::Null | Value::Bool(false)) && value != "" && value != 0;
            is_true.then_some(value)
        })
    }

    /// Waits until this text is seen anywhere.
    pub(crate) fn wait_text(&mut self, text: &str) {
        let text = Value::from(text).to_string();
        self.wait(&format!("document.body.innerText.includes({text})"));
    }

    fn element(&mut self, css: &str) -> String {
        let quoted = Value::from(css).to_string();
        self.wait(&format!("Boolean(document.querySelector({quoted}))"));
        let found = self.on_session("POST", "/element", &json!({ "using": "css selector", "value": css }));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    pub(crate) fn click(&mut self, css: &str) {
        let element = self.element(css);
        self.on_session("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types into a field, or hands a file to it.
    pub(crate) fn write(&mut self, css: &str, text: &str) {
        let element = self.element(css);
        self.on_session("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses keys one after another, wherever the focus is.
    pub(crate) fn press(&mut self, keys: &str) {
        let mut actions = Vec::new();
        let mut held = false;
        for key in keys.chars().map(String::from) {
            actions.push(json!({ "type": "keyDown", "value": key }));
            if key == CONTROL {
                held = true;
                continue;
            }
            actions.push(json!({ "type": "keyUp", "value": key }));
            if std::mem::take(&mut held) {
                actions.push(json!({ "type": "keyUp", "value": CONTROL }));
            }
        }
        let source = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.on_session("POST", "/actions", &json!({ "actions": [source] }));
    }

    /// What the page complained of: errors of scripts, and what its policy forbade.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        let log = self.on_session("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the window where `POSTA_SCREENSHOTS` says; it can be looked at then.
    pub(crate) fn picture(&mut self, name: &str) {
        let picture = self.on_session("GET", "/screenshot", &Value::Null);
        let octets = STANDARD.decode(picture.as_str().expect("base64")).expect("base64");
        assert!(octets.len() > 5_000, "an empty page");
        if let Some(folder) = std::env::var_os("POSTA_SCREENSHOTS").map(PathBuf::from) {
            std::fs::create_dir_all(&folder).expect("made");
            std::fs::write(folder.join(format!("{name}.png")), octets).expect("written");
        }
    }

    fn on_session(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("{}{path}", self.session);
        self.ask(method, &path, body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver answers");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("set");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("sent");
        // It says how long its answer is, and keeps the connection whatever it is asked.
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).expect("a line of the head");
            if line.trim_end().is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).expect("a body");
        let body = String::from_utf8(body).expect("UTF-8");
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let value = answer["value"].clone();
        assert!(value.get("error").is_none_or(Value::is_null), "{method} {path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.session.is_empty() {
            self.on_session("DELETE", "", &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
