//! Contents in chunks, binary ones, REQUIRETLS, and hosts that take no mail.

use super::*;

const HELLO_CHUNKING: &str = "S: 220 mx
    C: EHLO mail.north.example
    S: 250-mx
    S: 250-CHUNKING
    S: 250-BINARYMIME
    S: 250 8BITMIME
    ready mx: CHUNKING, BINARYMIME, 8BITMIME
    C: MAIL FROM:<a@north.example>
    S: 250 ok
    C: RCPT TO:<bob@south.example>
    S: 250 ok
    ";

const HELLO_CHUNKING_PIPELINED: &str = "S: 220 mx
    C: EHLO mail.north.example
    S: 250-mx
    S: 250-PIPELINING
    S: 250 CHUNKING
    ready mx: PIPELINING, CHUNKING
    C: MAIL FROM:<a@north.example>
    C: RCPT TO:<bob@south.example>
    S: 250 ok
    S: 250 ok
    ";

/// To Bob, in pieces of so many octets.
fn in_pieces_of(chunk_octets: usize, content: &[u8]) -> Letter {
    Letter { chunk_octets, ..letter("<a@north.example>", &["<bob@south.example>"], content) }
}

/// RFC 3030 §4.1: nothing is stuffed, and the last chunk says that it is the last.
#[test]
fn chunks() {
    let dotted = in_pieces_of(8, b"A: b\r\n\r\n.\r\n.\r\n");
    let script = format!(
        "{HELLO_CHUNKING}
        raw: BDAT 8\\r\\nA: b\\r\\n\\r\\n
        S: 250 8 octets received
        raw: BDAT 6 LAST\\r\\n.\\r\\n.\\r\\n
        S: 250 2.6.0 queued
        done ok 250 2.6.0 queued
        C: QUIT"
    );
    check(std::slice::from_ref(&dotted), &script);
    let one = "raw: BDAT 14 LAST\\r\\nA: b\\r\\n\\r\\n.\\r\\n.\\r\\n
        S: 554 5.6.0 no
        done permanent EndOfData 554 5.6.0 no
        C: RSET
        S: 250 ok
        C: MAIL FROM:<a@north.example>
        S: 450 no
        done transient Mail 450 no
        C: QUIT";
    let letters = [Letter { chunk_octets: 14, ..dotted.clone() }, dotted];
    check(&letters, &format!("{HELLO_CHUNKING}{one}"));
}

#[test]
fn chunks_may_be_off() {
    let name: posta_address::Domain = "mail.north.example".parse().expect("a domain");
    let settings = Settings { chunking: false, ..Settings::new(name) };
    let letters = [in_pieces_of(100, PLAIN), in_pieces_of(100, b"A: b\r\n\r\n\n")];
    let script = format!(
        "{HELLO_CHUNKING}C: DATA
        S: 354 go on
        raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
        S: 250 queued
        done ok 250 queued
        done permanent Mail ExtensionMissing(\"BINARYMIME\")
        C: QUIT"
    );
    check_with(settings, &letters, &script);
}

/// RFC 3030 §4.2: chunks are sent before the replies to those before have come.
#[test]
fn chunks_pipelined() {
    let script = format!(
        "{HELLO_CHUNKING_PIPELINED}
        raw: BDAT 8\\r\\nSubject:BDAT 8\\r\\n x\\r\\n\\r\\nboBDAT 4 LAST\\r\\ndy\\r\\n
        S: 250 8
        S: 250 8
        S: 250 queued
        done ok 250 queued
        C: QUIT"
    );
    check(&[in_pieces_of(8, PLAIN)], &script);
    // No more than some at once: what a refusal makes vain is bounded.
    let long = in_pieces_of(1, b"Subject: long\r\n\r\n");
    let sent =
        |text: &str| text.chars().map(|c| format!("BDAT 1\\r\\n{}", c.escape_default())).collect::<String>();
    let script = format!(
        "{HELLO_CHUNKING_PIPELINED}
        raw: {}
        S: 250 1
        raw: BDAT 1 LAST\\r\\n\\n
        {}
        S: 250 queued
        done ok 250 queued
        C: QUIT",
        sent("Subject: long\r\n\r"),
        "S: 250 1\n".repeat(15),
    );
    check(&[long], &script);
}

#[test]
fn a_chunk_is_refused() {
    // The next chunk is not sent, and the transaction is cleared (RFC 3030 §2).
    let lock_step = "raw: BDAT 8\\r\\nSubject:
        S: 552 5.3.4 too large
        done permanent Content 552 5.3.4 too large
        C: RSET
        S: 250 ok
        C: MAIL FROM:<a@north.example>
        S: 450 no
        done transient Mail 450 no
        C: QUIT";
    let letters = [in_pieces_of(8, PLAIN), in_pieces_of(8, PLAIN)];
    check(&letters, &format!("{HELLO_CHUNKING}{lock_step}"));
    // The replies to those behind it mean nothing more, whatever they say.
    for last in ["503 5.5.1 say MAIL", "250 queued"] {
        let pipelined = format!(
            "raw: BDAT 8\\r\\nSubject:BDAT 8\\r\\n x\\r\\n\\r\\nboBDAT 4 LAST\\r\\ndy\\r\\n
            S: 250 8
            S: 451 4.3.0 disk
            S: {last}
            done transient Content 451 4.3.0 disk
            C: QUIT"
        );
        check(&[in_pieces_of(8, PLAIN)], &format!("{HELLO_CHUNKING_PIPELINED}{pipelined}"));
        let lost = "raw: BDAT 8\\r\\nSubject:BDAT 8\\r\\n x\\r\\n\\r\\nboBDAT 4 LAST\\r\\ndy\\r\\n
            S: 552 5.3.4 too large
            hang up
            done permanent Content 552 5.3.4 too large
            closed";
        check(&[in_pieces_of(8, PLAIN)], &format!("{HELLO_CHUNKING_PIPELINED}{lost}"));
    }
}

/// Before the last chunk the message cannot have arrived; after it, nobody knows.
#[test]
fn lost_among_chunks() {
    for (happens, word) in [("hang up", "ConnectionLost"), ("wait 86400", "TimedOut")] {
        let before = format!(
            "raw: BDAT 8\\r\\nSubject:
            {happens}
            done transient Content {word}
            closed"
        );
        check(&[in_pieces_of(8, PLAIN)], &format!("{HELLO_CHUNKING}{before}"));
        let after = format!(
            "raw: BDAT 20 LAST\\r\\nSubject: x\\r\\n\\r\\nbody\\r\\n
            {happens}
            done transient EndOfData {word}
            closed"
        );
        check(&[in_pieces_of(20, PLAIN)], &format!("{HELLO_CHUNKING}{after}"));
        let unanswered = format!(
            "raw: BDAT 19\\r\\nSubject: x\\r\\n\\r\\nbody\\rBDAT 1 LAST\\r\\n\\n
            S: 250 19
            {happens}
            done transient EndOfData {word}
            closed"
        );
        check(&[in_pieces_of(19, PLAIN)], &format!("{HELLO_CHUNKING_PIPELINED}{unanswered}"));
    }
    let closing = "raw: BDAT 8\\r\\nSubject:
        S: 421 4.3.2 going down
        done transient Content 421 4.3.2 going down
        closed";
    check(&[in_pieces_of(8, PLAIN)], &format!("{HELLO_CHUNKING}{closing}"));
    let unreadable = Letter { unreadable: true, ..in_pieces_of(8, PLAIN) };
    let script = "raw: BDAT 8\\r\\nSubject:
        S: 250 8
        raw: BDAT 8\\r\\n x\\r\\n\\r\\nbo
        S: 250 8
        done transient Content ContentUnreadable
        closed";
    check(&[unreadable], &format!("{HELLO_CHUNKING}{script}"));
}

/// RFC 3030 §3: any octets, to a host that offers BINARYMIME with CHUNKING and 8BITMIME; to no other.
#[test]
fn binary_contents() {
    let binary = in_pieces_of(9, b"A: b\r\n\r\n\n\0\r.\r\n.\r\nx");
    assert!(binary.transaction.facts.is_binary);
    let script = HELLO_CHUNKING.replace("FROM:<a@north.example>", "FROM:<a@north.example> BODY=BINARYMIME");
    check(
        std::slice::from_ref(&binary),
        &format!(
            "{script}raw: BDAT 9\\r\\nA: b\\r\\n\\r\\n\\n
            S: 250 9
            raw: BDAT 9 LAST\\r\\n\\x00\\r.\\r\\n.\\r\\nx
            S: 250 queued
            done ok 250 queued
            C: QUIT"
        ),
    );
    for offer in ["BINARYMIME", "CHUNKING", "8BITMIME"] {
        let without = HELLO_CHUNKING.replace(&format!("{offer}\n"), "X\n").replace(offer, "X");
        let hello = &without[..without.find("C: MAIL").expect("MAIL")];
        let script = format!("{hello}done permanent Mail ExtensionMissing(\"BINARYMIME\")\nC: QUIT");
        check(std::slice::from_ref(&binary), &script);
    }
    // A content that is not what its facts say is not sent to its end.
    let mut wrong = in_pieces_of(8, b"A: b\r\n\r\n\n");
    wrong.transaction.facts.is_binary = false;
    check(&[wrong], &format!("{HELLO_CHUNKING}done permanent Content ContentMalformed\nclosed"));
}

/// RFC 8689: said in the clear it means nothing.
#[test]
fn requiring_tls_needs_tls() {
    let mut secret = letter("<a@north.example>", &["<bob@south.example>"], PLAIN);
    secret.transaction.requests.require_tls = true;
    let hello = "S: 220 mx
        C: EHLO mail.north.example
        S: 250-mx
        S: 250 REQUIRETLS
        ready mx: REQUIRETLS
        ";
    let missing = "done permanent Mail ExtensionMissing(\"REQUIRETLS\")\nC: QUIT";
    check(&[secret.clone()], &format!("{hello}{missing}"));
    // A report goes as it can (RFC 8689 §5).
    secret.transaction.reverse_path = "<>".parse().expect("a path");
    let goes = "C: MAIL FROM:<>\nS: 550 no\ndone permanent Mail 550 no\nC: QUIT";
    check(&[secret], &format!("{hello}{goes}"));
}

/// RFC 7504 §3: no mail at all here; a leave is taken all the same.
#[test]
fn a_host_that_accepts_no_mail() {
    check(
        &[letter("<a@north.example>", &["<bob@south.example>"], PLAIN)],
        "S: 521 mx.south.example does not accept mail
         failed permanent Greeting 521 mx.south.example does not accept mail
         C: QUIT
         S: 503 hm
         closed",
    );
}
