//! Upper, lower and title case as Python makes them.

/// The first character in title case, the rest in lower case.
pub(crate) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        let rest = text.to_lowercase();
        titled(first) + rest.get(lower_len(first)..).unwrap_or_default()
    })
}

/// `str.title`: a letter after anything that is no letter is upper case.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        let letter = c.is_alphabetic();
        if letter && inside {
            out.extend(c.to_lowercase());
        } else {
            out.push_str(&titled(c));
        }
        inside = letter;
    }
    sigma(text, out)
}

fn lower_len(c: char) -> usize {
    c.to_lowercase().map(char::len_utf8).sum()
}

/// A character in title case: only the first letter of what it becomes is upper case.
pub(super) fn titled(c: char) -> String {
    let double = match c {
        'Ǆ'..='ǆ' => Some('ǅ'),
        'Ǉ'..='ǉ' => Some('ǈ'),
        'Ǌ'..='ǌ' => Some('ǋ'),
        'Ǳ'..='ǳ' => Some('ǲ'),
        _ => None,
    };
    if let Some(double) = double {
        return double.to_string();
    }
    let mut upper = c.to_uppercase();
    let mut out = String::new();
    out.extend(upper.next());
    out.extend(upper.flat_map(char::to_lowercase));
    out
}

/// Puts the final form where a sigma that was made lower case ends a word.
fn sigma(text: &str, made: String) -> String {
    if !text.contains('Σ') {
        return made;
    }
    let mut out = String::with_capacity(made.len());
    let mut chars = made.chars().peekable();
    let mut before = false;
    while let Some(c) = chars.next() {
        let ends = !chars.peek().is_some_and(|next| next.is_alphabetic());
        out.push(if c == 'σ' && before && ends { 'ς' } else { c });
        before = c.is_alphabetic();
    }
    out
}

pub(super) fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    sigma(text, out)
}

/// Lower case for comparing: letters that have no lower case of one letter are written out.
pub(super) fn casefold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ß' | 'ẞ' => out.push_str("ss"),
            'ς' => out.push('σ'),
            'ſ' => out.push('s'),
            'µ' => out.push('μ'),
            '\u{fb00}'..='\u{fb06}' => out.extend(c.to_uppercase().flat_map(char::to_lowercase)),
            _ => out.extend(c.to_lowercase()),
        }
    }
    out
}
