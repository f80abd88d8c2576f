//! `posta message`, as a person runs it.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn posta(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_posta"))
        .arg("message")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("posta runs");
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("posta ends")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

const MESSAGE: &[u8] = b"From: Ada <ada@north.example>\r\n\
    To: group: bob@south.example, =?utf-8?Q?J=C3=B6?= <j@south.example>;\r\n\
    Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\
    Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n\
    Message-ID: <1@north.example>\r\n\
    References: <a@x.example>\r\n <b@x.example>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\
    \r\n\
    before\r\n\
    --b\r\n\
    Content-Type: text/plain; charset=iso-8859-1\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\
    \r\n\
    Gr=FC=DFe\r\n\
    --b\r\n\
    Content-Type: message/rfc822\r\n\
    Content-Disposition: attachment; filename=\"../inner.eml\"\r\n\
    \r\n\
    From: x@y.example\r\n\
    Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n\
    \r\n\
    inner\r\n\
    --b--\r\n\
    after\r\n";

#[test]
fn json_has_the_documented_form() {
    let output = posta(&["json", "--lines", "--text", "-"], MESSAGE);
    assert!(output.status.success());
    let value: Value = serde_json::from_str(&text(&output)).expect("one line of JSON");
    assert_eq!(value["subject"], "Grüße");
    assert_eq!(value["from"], serde_json::json!([{ "name": "Ada", "address": "ada@north.example" }]));
    assert_eq!(value["to"][0]["group"], "group");
    assert_eq!(
        value["to"][0]["members"][1],
        serde_json::json!({ "name": "Jö", "address": "j@south.example" })
    );
    assert_eq!(value["date"], "2007-11-17T20:18:49-05:00");
    assert_eq!(value["message_id"], "1@north.example");
    assert_eq!(value["references"], serde_json::json!(["a@x.example", "b@x.example"]));
    assert_eq!(value["headers"][5]["raw"], " <a@x.example>\r\n <b@x.example>");
    assert_eq!(value["defects"], serde_json::json!([]));
    assert!(value.get("cc").is_none() && value.get("sender").is_none());
    let root = &value["root"];
    assert_eq!((&root["type"], &root["parameters"]["boundary"]), (&"multipart/mixed".into(), &"b".into()));
    assert_eq!((&root["preamble"], &root["epilogue"]), (&"before".into(), &"after\r\n".into()));
    let part = &root["parts"][0];
    assert_eq!((&part["charset"], &part["encoding"]), (&"iso-8859-1".into(), &"quoted-printable".into()));
    assert_eq!((&part["text"], &part["octets"]), (&"Grüße".into(), &5.into()));
    assert_eq!(part["sha256"].as_str().map(str::len), Some(64));
    let inner = &root["parts"][1];
    assert_eq!((&inner["filename"], &inner["disposition"]), (&"../inner.eml".into(), &"attachment".into()));
    assert_eq!(inner["message"]["from"][0]["address"], "x@y.example");
    assert_eq!(inner["message"]["root"]["text"], "inner");
}

#[test]
fn structure_headers_and_show() {
    let structure = text(&posta(&["structure", "-"], MESSAGE));
    assert!(structure.contains("multipart/mixed") && structure.contains("message/rfc822"), "{structure}");
    assert_eq!(text(&posta(&["headers", "--field", "subject", "-"], MESSAGE)), "Grüße\n");
    assert!(!posta(&["headers", "--field", "nothing", "-"], MESSAGE).status.success());
    let shown = text(&posta(&["show", "-"], MESSAGE));
    assert!(shown.contains("Grüße") && shown.contains("inner.eml"), "{shown}");
}

/// RFC 2046 §5.2.3: what lies elsewhere is told, with its type there; nothing is fetched.
#[test]
fn show_tells_where_a_body_lies() {
    let message =
        b"Content-Type: message/external-body; access-type=ANON-FTP; site=\"ftp.example.com\";\r\n \
        name=\"paper.ps\"; directory=pub; size=2048\r\n\r\nContent-Type: application/postscript\r\n\r\n";
    let shown = text(&posta(&["show", "-"], message));
    assert!(
        shown.contains(
            "Elsewhere: paper.ps (application/postscript, 2048 B) ftp://ftp.example.com/pub/paper.ps"
        ),
        "{shown}"
    );
}

#[test]
fn extract_stays_in_its_folder_and_overwrites_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("parts");
    let to = to.to_str().expect("UTF-8");
    for _ in 0..2 {
        assert!(posta(&["extract", "-", "--to", to], MESSAGE).status.success());
    }
    let mut names: Vec<String> = std::fs::read_dir(to)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["inner (2).eml", "inner.eml"]);
    assert_eq!(posta(&["extract", "-", "--part", "1"], MESSAGE).stdout, b"Gr\xfc\xdfe");
}

#[test]
fn check_names_line_and_rule() {
    assert!(posta(&["check", "-"], MESSAGE).status.success());
    let output = posta(&["check", "-"], b"From: a@b.example\r\nDate: never\r\nDate: never\r\n\r\n");
    assert_eq!(output.status.code(), Some(1));
    let found = text(&output);
    assert!(found.contains("     2  a date that cannot be read (RFC 5322 §3.3)"), "{found}");
    assert!(found.contains("     3  a field that may occur once occurs again (RFC 5322 §3.6)"), "{found}");
}

#[test]
fn what_is_built_has_no_defects() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = folder.path().join("letter.toml");
    std::fs::write(folder.path().join("grüße.bin"), [0u8, 255, 10, 13]).expect("a file");
    std::fs::write(&recipe, "from = 'Zoë <zoe@north.example>'\nto = ['bob@south.example']\nsubject = 'Grüße'\ntext = \"Zeile\\n\"\nattach = ['grüße.bin']\n[header]\nX-Test = 'ja'\n").expect("a file");
    let recipe = recipe.to_str().expect("UTF-8");
    let built = posta(&["build", recipe, "--cc", "carol@south.example", "--html", "-"], b"<p>Zeile</p>");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert_eq!(text(&posta(&["check", "-"], &built.stdout)), "No defects.\n");
    let value: Value = serde_json::from_slice(&posta(&["json", "-"], &built.stdout).stdout).expect("JSON");
    assert_eq!(value["root"]["parts"][0]["type"], "multipart/alternative");
    assert_eq!(value["root"]["parts"][1]["filename"], "grüße.bin");
    assert_eq!(value["root"]["parts"][1]["octets"], 4);
    assert_eq!(value["cc"][0]["address"], "carol@south.example");
    let injected = posta(&["build", "--from", "a@b.example", "--subject", "x\r\nBcc: y@z.example"], b"");
    assert!(!injected.status.success() && injected.stdout.is_empty());
}
