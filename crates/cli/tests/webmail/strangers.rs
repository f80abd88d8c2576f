//! What strangers send to harm: nothing runs, nothing is fetched, nothing of ours is covered.

use crate::{Town, driver::is_there, rows_with, support::send};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

const ALICE: &str = "alice@north.example";
const MALLORY: &str = "mallory@evil.example";

/// A host of the stranger's that notes what is asked of it.
struct Trap {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut head = [0; 2048];
                let read = stream.read(&mut head).unwrap_or(0);
                let line = String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or("").to_owned();
                notes.lock().expect("unpoisoned").push(line);
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\nContent-Length: 43\r\n\
                      Connection: close\r\n\r\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>  ",
                );
            }
        });
        Trap { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

/// Each tries one thing. `TRAP` is the stranger's host.
const ATTACKS: &[(&str, &str)] = &[
    ("script", "<script>top.harm=1;document.title='harm';fetch('http://TRAP/script')</script>"),
    (
        "handlers",
        "<body onload=top.harm=1><img src=x onerror=top.harm=1><details open ontoggle=top.harm=1>x</details><input autofocus onfocus=top.harm=1>",
    ),
    (
        "svg",
        "<svg onload=top.harm=1><script>top.harm=1</script><animate onbegin=top.harm=1 attributeName=x dur=1s><image href='http://TRAP/svg'/><use href='data:image/svg+xml,<svg id=x xmlns=\"http://www.w3.org/2000/svg\"><script>top.harm=1</script></svg>#x'/></svg>",
    ),
    (
        "mutation in mathml",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=top.harm=1&gt;\"></mglyph></table></mtext></math>",
    ),
    ("mutation in noscript", "<noscript><p title=\"</noscript><img src=x onerror=top.harm=1>\"></noscript>"),
    (
        "mutation in template",
        "<svg></p><style><a id=\"</style><img src=1 onerror=top.harm=1>\"></a></style></svg>",
    ),
    (
        "form",
        "<form action='/mail/logout' method=post><input name=csrf value=x><button id=go>Go</button></form><form action='http://TRAP/form'><input type=submit></form>",
    ),
    (
        "refresh and base",
        "<meta http-equiv=refresh content='0;url=http://TRAP/refresh'><base href='http://TRAP/'><link rel=stylesheet href=style.css><link rel=prefetch href=prefetch>",
    ),
    (
        "style",
        "<style>@import url(http://TRAP/import);@font-face{font-family:x;src:url(http://TRAP/font)}p{background:url(http://TRAP/style);font-family:x}</style><p style='background-image:url(http://TRAP/inline);list-style:url(http://TRAP/list)'>x</p><table background='http://TRAP/table'><tr><td>x</td></tr></table>",
    ),
    (
        "overlay",
        "<div style='position:fixed;inset:0;z-index:99999;background:red'>Your session is over: log in again</div>",
    ),
    (
        "frames",
        "<iframe src='http://TRAP/iframe'></iframe><object data='http://TRAP/object'></object><embed src='http://TRAP/embed'><video src='http://TRAP/video' autoplay poster='http://TRAP/poster'></video><audio src='http://TRAP/audio' autoplay></audio>",
    ),
    (
        "addresses",
        "<a id=run href='javascript:top.harm=1'>one</a><a href='data:text/html,<script>top.harm=1</script>'>two</a><a href=' java\nscript:top.harm=1'>three</a><img src='data:image/svg+xml,<svg onload=top.harm=1>'>",
    ),
    (
        "clobbering",
        "<img name=body><form id=app name=cookie></form><a id=list name=rows href='//TRAP/clobber'>x</a><a id=defaultView>x</a>",
    ),
    (
        "pictures",
        "<img src='http://TRAP/picture' width=300 height=200 alt='a view'><img src='http://TRAP/pixel' width=1 height=1><img srcset='http://TRAP/srcset 2x' src='http://TRAP/src'>",
    ),
];

fn letter(subject: &str, html: &str, trap: &str) -> String {
    let html = html.replace("TRAP", trap);
    format!(
        "From: Friend <{MALLORY}>\nTo: {ALICE}\nSubject: {subject}\nMessage-ID: <{}@evil.example>\n\
         MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n\
         <p>Words before.</p>{html}\n<p>Words after.</p>\n",
        subject.replace(' ', "-")
    )
}

#[test]
fn attacks_do_nothing() {
    if !is_there() {
        return;
    }
    let town = Town::start();
    let trap = Trap::set();
    let smtp = town.endpoint(ALICE, "smtp");
    for (name, html) in ATTACKS {
        send(&smtp, MALLORY, ALICE, &letter(&format!("attack by {name}"), html, &trap.address));
    }
    let mut alice = town.browser(ALICE);
    alice.wait(&rows_with("attack by pictures"));
    let home = alice.run("return location.origin");
    for (name, _) in ATTACKS {
        alice.wait(&rows_with(&format!("attack by {name}")));
        alice.run(&format!(
            "[...document.querySelectorAll('.row')].find((row) => row.innerText.includes('attack by {name}')).click()"
        ));
        alice.wait(&format!("document.querySelector('.reader h1')?.innerText === 'attack by {name}'"));
        alice.wait("document.querySelector('.card-body iframe, .card-body .words, .card-body p')");
        // What would happen by itself has had its time.
        std::thread::sleep(std::time::Duration::from_millis(400));
        let harm = alice.run("return window.harm ?? null");
        assert!(harm.is_null(), "{name}: something ran");
        assert_eq!(alice.run("return location.origin"), home, "{name}: we are elsewhere");
        let title = alice.run("return document.title");
        assert!(title.as_str().is_some_and(|title| title.contains(ALICE)), "{name}: {title}");
        let sandbox = alice.run(
            "return [...document.querySelectorAll('iframe')].map((frame) => frame.getAttribute('sandbox')).join()",
        );
        let sandbox = sandbox.as_str().unwrap_or_default();
        assert!(!sandbox.contains("scripts") && !sandbox.contains("same-origin"), "{name}: {sandbox}");
        // Nothing lies over our own buttons.
        let on_top = alice.run(
            "const at = document.querySelector('.compose-button').getBoundingClientRect();\
             return document.elementFromPoint(at.x + 5, at.y + 5).closest('.compose-button') !== null",
        );
        assert_eq!(on_top, true, "{name}: our page is covered");
    }
    alice.picture("attack");
    assert_eq!(trap.asked(), Vec::<String>::new(), "nothing was fetched");
    // Still logged in, and the page still works.
    alice.press("gs");
    alice.wait("document.querySelector('.place-name')?.innerText === 'Sent'");
}

#[test]
fn pictures_from_elsewhere_are_shown_when_the_person_says_so() {
    if !is_there() {
        return;
    }
    let town = Town::start();
    let trap = Trap::set();
    let smtp = town.endpoint(ALICE, "smtp");
    let html =
        "<img src='http://TRAP/view' width=300 height=200><img src='http://TRAP/pixel' width=1 height=1>";
    send(&smtp, MALLORY, ALICE, &letter("first picture", html, &trap.address));
    send(&smtp, MALLORY, ALICE, &letter("second picture", html, &trap.address));
    let mut alice = town.browser(ALICE);
    alice.wait(&rows_with("first picture"));
    let open = |subject: &str| {
        format!(
            "[...document.querySelectorAll('.row')].find((row) => row.innerText.includes('{subject}')).click()"
        )
    };
    alice.run(&open("first picture"));
    alice.wait("document.querySelector('.images-banner')");
    alice.picture("blocked-pictures");
    assert_eq!(trap.asked(), Vec::<String>::new());
    alice.click(".show-images");
    let seen =
        crate::support::wait_for("the picture", || Some(trap.asked()).filter(|asked| !asked.is_empty()));
    assert!(seen.iter().all(|line| line.starts_with("GET /view ")), "the pixel stays out: {seen:?}");
    // Only this once: the next one is blocked again, until its sender is allowed.
    alice.run(&open("second picture"));
    alice.wait("document.querySelector('.reader h1')?.innerText === 'second picture' && document.querySelector('.images-banner')");
    alice.click(".allow-images");
    alice.wait("!document.querySelector('.images-banner')");
    alice.run(&open("first picture"));
    alice.wait("document.querySelector('.reader h1')?.innerText === 'first picture' && document.querySelector('iframe')");
    assert_eq!(alice.run("return document.querySelector('.images-banner') === null"), true);
}
