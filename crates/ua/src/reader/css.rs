//! The little of CSS that mail may use in `style="…"`: properties that colour and space what they stand on, with
//! values that can name no address, no variable, no position outside of their box.

/// Octets of a `style` attribute that are looked at; longer ones are dropped.
const STYLE_OCTETS_MAX: usize = 8 * 1024;

/// Properties that can neither load something, nor cover something, nor leave their place.
const PROPERTIES: &[&str] = &[
    "background-color",
    "border",
    "border-bottom",
    "border-bottom-color",
    "border-bottom-style",
    "border-bottom-width",
    "border-collapse",
    "border-color",
    "border-left",
    "border-left-color",
    "border-left-style",
    "border-left-width",
    "border-radius",
    "border-right",
    "border-right-color",
    "border-right-style",
    "border-right-width",
    "border-spacing",
    "border-style",
    "border-top",
    "border-top-color",
    "border-top-style",
    "border-top-width",
    "border-width",
    "clear",
    "color",
    "direction",
    "display",
    "float",
    "font-family",
    "font-size",
    "font-style",
    "font-variant",
    "font-weight",
    "height",
    "letter-spacing",
    "line-height",
    "list-style-type",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "max-height",
    "max-width",
    "min-width",
    "mso-hide",
    "padding",
    "padding-bottom",
    "padding-left",
    "padding-right",
    "padding-top",
    "text-align",
    "text-decoration",
    "text-indent",
    "text-transform",
    "unicode-bidi",
    "vertical-align",
    "white-space",
    "width",
    "word-break",
    "word-wrap",
];

/// Functions that a value may have.
const FUNCTIONS: &[&str] = &["rgb", "rgba", "hsl", "hsla"];

/// Keeps the declarations that are allowed, written anew; empty if there are none.
pub fn safe_style(style: &str) -> String {
    // Escapes, comments and strings are ways to hide what is meant; no mail needs them here.
    if style.len() > STYLE_OCTETS_MAX || style.contains(['\\', '@', '{', '}', '<']) || style.contains("/*") {
        return String::new();
    }
    let mut safe = String::new();
    for declaration in style.split(';') {
        let Some((property, value)) = declaration.split_once(':') else { continue };
        let property = property.trim().to_ascii_lowercase();
        let Some(value) = safe_value(&property, value) else { continue };
        if !safe.is_empty() {
            safe.push(';');
        }
        safe.push_str(&property);
        safe.push(':');
        safe.push_str(&value);
    }
    safe
}

fn safe_value(property: &str, value: &str) -> Option<String> {
    if !PROPERTIES.contains(&property) {
        return None;
    }
    let value = value.trim().to_ascii_lowercase();
    let value = value.strip_suffix("!important").unwrap_or(&value).trim().replace(['"', '\''], "");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " #%.,()-+".contains(c);
    if value.is_empty() || value.len() > 200 || !value.chars().all(is_plain) {
        return None;
    }
    if !has_known_functions(&value) {
        return None;
    }
    // What is pulled out of its box covers what isn't its own.
    let moves = property.starts_with("margin") || property == "text-indent" || property == "letter-spacing";
    if moves && value.contains('-') {
        return None;
    }
    if property == "display" && !is_harmless_display(&value) {
        return None;
    }
    if !are_lengths_bounded(&value) {
        return None;
    }
    Some(value)
}

fn is_harmless_display(value: &str) -> bool {
    matches!(
        value,
        "none" | "block" | "inline" | "inline-block" | "table" | "table-row" | "table-cell" | "list-item"
    )
}

/// Every `(` follows the name of a colour function.
fn has_known_functions(value: &str) -> bool {
    let mut rest = value;
    while let Some(open) = rest.find('(') {
        let start =
            rest[..open].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '-').map_or(0, |at| at + 1);
        if !FUNCTIONS.contains(&&rest[start..open]) {
            return false;
        }
        rest = &rest[open + 1..];
    }
    true
}

/// No number has more than four digits before its point: a page of a million pixels is no letter.
fn are_lengths_bounded(value: &str) -> bool {
    let mut digits = 0;
    for (at, octet) in value.bytes().enumerate() {
        let in_colour = value[..at].rfind('#').is_some_and(|hash| !value[hash..at].contains(' '));
        digits = if octet.is_ascii_digit() && !in_colour { digits + 1 } else { 0 };
        if digits > 4 && !value[..at].contains('.') {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_what_is_not() {
        for (style, expected) in [
            ("color: red; FONT-WEIGHT:bold", "color:red;font-weight:bold"),
            ("color:#ff0000 !important", "color:#ff0000"),
            ("background-color:rgb(1, 2, 3)", "background-color:rgb(1, 2, 3)"),
            (
                "font-family:'Helvetica Neue', \"Arial\", sans-serif",
                "font-family:helvetica neue, arial, sans-serif",
            ),
            ("background:url(https://x.example/a)", ""),
            ("background-color:url(https://x.example/a)", ""),
            ("background-image:url(x)", ""),
            ("list-style-image:url(x)", ""),
            ("color:expression(alert(1))", ""),
            ("color:var(--x)", ""),
            ("width:calc(1px * 99999)", ""),
            ("behavior:url(x.htc)", ""),
            ("-moz-binding:url(x)", ""),
            ("position:fixed;top:0;left:0;z-index:9", ""),
            ("color:r\\65 d", ""),
            ("color:red/**/", ""),
            ("color:red}body{display:none", ""),
            ("@import 'x'", ""),
            ("margin:-500px", ""),
            ("margin:0 auto", "margin:0 auto"),
            ("width:100000px", ""),
            ("width:99.99999%", "width:99.99999%"),
            ("display:fixed", ""),
            ("display:none", "display:none"),
            ("transform:scale(99)", ""),
            ("color", ""),
            ("color:ä", ""),
            ("font-size:12px;content:'x'", "font-size:12px"),
        ] {
            assert_eq!(safe_style(style), expected, "{style}");
        }
        assert_eq!(safe_style(&"color:red;".repeat(1000)), "");
    }
}
