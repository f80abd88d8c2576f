//! Two people write to one another through the whole SMTP path; and all of it with the keyboard alone.

use crate::{
    Town,
    driver::{CONTROL, ENTER, ESCAPE, is_there},
    rows_with,
    support::{folder, send},
};

const ALICE: &str = "alice@north.example";
const BOB: &str = "bob@south.example";

#[test]
fn a_letter_with_a_file_goes_there_and_the_answer_comes_back() {
    if !is_there() {
        return;
    }
    let town = Town::start();
    let (_guard, folder) = folder();
    let file = folder.join("Pläne für morgen.txt");
    std::fs::write(&file, "Tee um fünf.\n").expect("written");
    let mut alice = town.browser(ALICE);
    // Bob's page is open all the time, and is not loaded anew.
    let mut bob = town.browser(BOB);

    alice.press("c");
    alice.write(".composer [aria-label=To]", &format!("{BOB},"));
    alice.write(".subject-input", "Grüße aus Ångström: 日本 und مرحبا");
    alice.write(".composer textarea", "Anbei die Pläne – schöne Grüße!");
    // The file is spoken of, but not there.
    alice.click(".send");
    alice.wait_text("No file?");
    alice.picture("forgotten-file");
    alice.press(ESCAPE);
    alice.wait("!document.querySelector('dialog[open]')");
    alice.write(".composer input[type=file]", file.to_str().expect("UTF-8"));
    alice.wait("document.querySelector('.composer .file:not(.uploading) .file-name')?.innerText === 'Pläne für morgen.txt'");
    alice.wait("document.querySelector('.composer .state').innerText === 'Saved'");
    alice.picture("writing");
    alice.press(&format!("{CONTROL}{ENTER}"));
    // Second thoughts: it is a draft again, with all that it had.
    alice.wait_text("Sent.");
    alice.click(".toast-undo");
    alice.wait("document.querySelector('.composer .subject-input')?.value.startsWith('Grüße aus')");
    alice.wait("document.querySelector('.composer .file-name')?.innerText === 'Pläne für morgen.txt'");
    alice.click(".send");
    alice.wait_text("Sent.");

    bob.wait(&rows_with("Grüße aus Ångström: 日本 und مرحبا"));
    bob.wait("document.title.startsWith('(')");
    bob.press(&format!("j{ENTER}"));
    bob.wait_text("Anbei die Pläne – schöne Grüße!");
    bob.wait("[...document.querySelectorAll('.card .file-name')].some((name) => name.innerText === 'Pläne für morgen.txt')");
    bob.picture("reading");
    bob.press("r");
    bob.wait("document.querySelector('.composer textarea')?.value.includes('> Anbei die Pläne')");
    bob.press("Danke, bis morgen um fünf!");
    bob.press(&format!("{CONTROL}{ENTER}"));
    bob.wait_text("Sent.");
    alice.wait(&rows_with("Danke, bis morgen um fünf!"));
    alice.press(&format!("j{ENTER}"));
    // Her own letter and the answer are one conversation.
    alice.wait("document.querySelectorAll('.card').length === 2");
    alice.wait_text("Danke, bis morgen um fünf!");
    alice.picture("conversation");
    // How it came: this host's story, for her eyes.
    alice.click(".card:not(.closed) [aria-label='More for this message']");
    alice.run("[...document.querySelectorAll('.menu button')].find((one) => one.innerText.includes('How it came')).click()");
    alice.wait("document.querySelectorAll('.hop').length >= 2 && document.querySelector('.story')");
    alice.picture("how-it-came");
    assert_eq!(alice.complaints(), Vec::<String>::new());
    assert_eq!(bob.complaints(), Vec::<String>::new());
}

#[test]
fn everything_is_done_with_the_keyboard_alone() {
    if !is_there() {
        return;
    }
    let town = Town::start();
    let smtp = town.endpoint(ALICE, "smtp");
    for (subject, text) in [("Apples", "red ones"), ("Pears", "green ones"), ("Quinces", "yellow ones")] {
        let content = format!(
            "From: {BOB}\nTo: {ALICE}\nSubject: {subject}\nMessage-ID: <{subject}@south.example>\n\n{text}\n"
        );
        send(&smtp, BOB, ALICE, &content);
    }
    let mut alice = town.browser(ALICE);
    alice.wait("document.querySelectorAll('.row').length === 3");
    // Down, open, put away, and back again.
    alice.press(&format!("jj{ENTER}"));
    alice.wait("document.querySelector('.reader h1')?.innerText === 'Pears'");
    alice.press("e");
    alice.wait("document.querySelectorAll('.row').length === 2");
    alice.wait_text("Undo");
    alice.press("z");
    alice.wait("document.querySelectorAll('.row').length === 3");
    // A label on two.
    alice.press("u");
    alice.press("kkxjx");
    alice.wait_text("2 selected");
    alice.press("l");
    alice.wait("document.querySelector('dialog.picker input')");
    alice.press(&format!("fruit{ENTER}"));
    alice.wait("document.querySelectorAll('.row .label').length === 2");
    // Search, by a field and a word.
    alice.press("/");
    alice.press(&format!("subject:quinces yellow{ENTER}"));
    alice.wait("document.querySelectorAll('.row').length === 1 && document.querySelector('.row').innerText.includes('Quinces')");
    alice.picture("search");
    alice.press("gi");
    alice.wait("document.querySelectorAll('.row').length === 3");
    // Out of sight until tomorrow.
    alice.press("jb");
    alice.wait_text("Tomorrow morning");
    alice.run("[...document.querySelectorAll('dialog .choice')].find((one) => one.innerText.includes('Tomorrow')).focus()");
    alice.press(ENTER);
    alice.wait("document.querySelectorAll('.row').length === 2");
    alice.run(
        "[...document.querySelectorAll('.place')].find((one) => one.innerText.includes('Snoozed')).focus()",
    );
    alice.press(ENTER);
    alice.wait("document.querySelectorAll('.row').length === 1");
    // The palette finds folders and commands; the help names the keys.
    alice.press(&format!("{CONTROL}k"));
    alice.wait("document.querySelector('dialog.picker input')");
    alice.picture("palette");
    alice.press(&format!("archive{ENTER}"));
    alice.wait("!document.querySelector('dialog.picker')");
    alice.press("?");
    alice.wait("document.querySelectorAll('dialog .keys dt').length > 20");
    alice.picture("keys");
    alice.press(ESCAPE);
    alice.wait("!document.querySelector('dialog[open]')");
    alice.press("gi");
    alice.press("c");
    alice.wait("document.activeElement?.getAttribute('aria-label') === 'To'");
    alice.press(ESCAPE);
    alice.wait("!document.querySelector('.composer')");
    assert_eq!(alice.complaints(), Vec::<String>::new());
}
