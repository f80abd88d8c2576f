//! Every width, light and dark, both directions; long lists; how much is loaded.

use crate::{Town, driver::is_there, support::Line};

const ALICE: &str = "alice@north.example";

/// Messages in the long list.
const MANY: usize = 400;

/// From, subject, text.
const LETTERS: &[(&str, &str, &str)] = &[
    (
        "Bob Brown <bob@south.example>",
        "Sunday at the lake",
        "Shall we meet at the lake on Sunday? I bring cake, you bring the boat.\r\n\r\nThe forecast says sun until four.",
    ),
    (
        "Weekly Gardener <news@garden.example>",
        "What to plant in November",
        "Tulips, of course, but have you thought of garlic? It wants the cold, and it wants it early.",
    ),
    (
        "Dave <dave@south.example>",
        "The contract, second version",
        "It is ready; please read it until Thursday. Section four is new.",
    ),
    (
        "Layla <layla@cairo.example>",
        "Meeting next week",
        "مرحبا، هل يمكننا تغيير موعد الاجتماع إلى الساعة الثالثة؟",
    ),
    (
        "Chess club <chess@club.example>",
        "Results of the autumn tournament",
        "Round five was won by the youngest of us all. Congratulations!",
    ),
    (
        "Tomas Dvorak <tomas@prague.example>",
        "Photos from Prague",
        "Here are the best ones; the bridge at dawn is my favourite.",
    ),
    (
        "Library <desk@library.example>",
        "Your book is here",
        "The book that you asked for waits for you at the desk until Friday.",
    ),
];

fn fill(town: &Town) {
    let mut line = Line::connect(&town.endpoint(ALICE, "smtp"));
    assert!(line.hear().starts_with("220 "));
    line.smtp("EHLO client.example", "250 ");
    for number in 0..MANY {
        line.smtp("MAIL FROM:<bob@south.example>", "250");
        line.smtp(&format!("RCPT TO:<{ALICE}>"), "250");
        line.smtp("DATA", "354");
        let (from, subject, text) = LETTERS[number % LETTERS.len()];
        // The newest ones are pretty, for the pictures; the others can be told apart.
        let subject =
            if number + 16 > MANY { subject.to_owned() } else { format!("{subject}, letter {number}.") };
        for part in [
            format!("From: {from}"),
            format!("To: Alice <{ALICE}>"),
            format!("Subject: {subject}"),
            format!("Message-ID: <{number}@south.example>"),
            "MIME-Version: 1.0".into(),
            "Content-Type: text/plain; charset=utf-8".into(),
            String::new(),
            text.into(),
        ] {
            line.say(&part);
        }
        line.smtp(".", "250");
    }
}

/// How many of the three panes are seen.
const PANES: &str = "return ['.folders', '.list', '.reader'].filter((css) => {\
    const box = document.querySelector(css).getBoundingClientRect();\
    return box.width > 0 && box.left < innerWidth - 1 && box.right > 1 && getComputedStyle(document.querySelector(css)).visibility === 'visible';\
}).length";

#[test]
fn each_width_has_its_panes_and_nothing_sticks_out() {
    if !is_there() {
        return;
    }
    let town = Town::start();
    fill(&town);
    let mut alice = town.browser(ALICE);
    for (name, width, height, panes) in
        [("desktop", 1440, 900, 3), ("tablet", 900, 1100, 2), ("phone", 390, 844, 1)]
    {
        alice.resize(width, height);
        alice.open(&format!("{}mail", town.endpoint(ALICE, "http")));
        alice.wait("'ready' in document.documentElement.dataset && document.querySelectorAll('.row:not(.blank)').length > 5");
        assert_eq!(alice.run(PANES), panes, "{name}");
        assert_eq!(alice.run("return document.documentElement.scrollWidth <= innerWidth"), true, "{name}");
        alice.picture(&format!("{name}-list"));
        alice.run("document.querySelector('.row').click()");
        alice.wait("document.querySelector('.card-body .text')");
        assert_eq!(alice.run(PANES), panes, "{name}, reading");
        alice.picture(&format!("{name}-reading"));
        if name == "phone" {
            // The browser's own way back leads to the list.
            alice.run("history.back()");
            alice.wait("!document.body.classList.contains('reading')");
        }
    }
    // Dark, and from right to left.
    let mut dark = crate::driver::Browser::start(1440, 900, true);
    town.log_in(&mut dark, ALICE);
    dark.wait("document.querySelectorAll('.row:not(.blank)').length > 5");
    dark.run("document.querySelector('.row').click()");
    dark.wait("document.querySelector('.card-body .text')");
    let background = dark.run("return getComputedStyle(document.body).backgroundColor");
    assert_eq!(background, "rgb(18, 20, 23)");
    dark.picture("desktop-dark");
    dark.run("document.documentElement.dir = 'rtl'");
    let right =
        dark.run("return document.querySelector('.folders').getBoundingClientRect().left > innerWidth / 2");
    assert_eq!(right, true, "the folders are at the right");
    dark.picture("desktop-rtl");
    assert_eq!(alice.complaints(), Vec::<String>::new());
}

#[test]
fn a_long_list_costs_no_more_than_what_is_seen() {
    if !is_there() {
        return;
    }
    let town = Town::start();
    fill(&town);
    let mut alice = town.browser(ALICE);
    alice.wait(&format!("document.querySelector('.total')?.innerText.startsWith('{MANY} ')"));
    let drawn = alice.run("return document.querySelectorAll('.row').length").as_u64().expect("a number");
    assert!(drawn < 40, "{drawn} rows exist");
    alice.run("document.querySelector('.rows[role=listbox]').scrollTop = 1e9");
    alice.wait("[...document.querySelectorAll('.row')].some((row) => row.innerText.includes(', letter 0.'))");
    let drawn = alice.run("return document.querySelectorAll('.row').length").as_u64().expect("a number");
    assert!(drawn < 40, "{drawn} rows exist at the end");
    // What is loaded until the first list is seen.
    alice.open(&format!("{}mail", town.endpoint(ALICE, "http")));
    alice.wait("'ready' in document.documentElement.dataset");
    let octets = alice.run(
        "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]\
         .filter((one) => !one.name.includes('/api/')).reduce((sum, one) => sum + one.decodedBodySize, 0)",
    );
    let octets = octets.as_f64().expect("a number");
    assert!(octets > 10_000.0 && octets < 100_000.0, "{octets} octets");
}
