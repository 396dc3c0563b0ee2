//! Hashes of passwords as hosts and database servers keep them, so that a wanted password can be compared without logging in
//! with it: an account for other hosts could not log in here.

use proto::Digest;
use proto::digest::{sha512, to_hex};

/// What `mysql_native_password` keeps: `*` and the SHA-1 of the SHA-1, in capitals.
pub(crate) fn native(password: &str) -> String {
    format!("*{}", to_hex(&sha1(&sha1(password.as_bytes()))).to_uppercase())
}

/// Length of the salt in what `caching_sha2_password` keeps.
const SALT: usize = 20;

/// What `caching_sha2_password` keeps: `$A$005$`, salt, and SHA-256-crypt of 5000 rounds.
pub(crate) fn caching(password: &str, salt: &[u8]) -> Vec<u8> {
    let mut text = b"$A$005$".to_vec();
    text.extend(salt);
    text.extend(crypt(&sha256, password.as_bytes(), salt, 5000));
    text
}

/// A password as /etc/shadow keeps it. With the salt of what is there already, where that is of this kind (`$5$`, `$6$`):
/// so the same password gives the same text; else with one made from `seed`, which is no secret.
pub(crate) fn shadow(password: &str, there: &str, seed: &str) -> String {
    let fresh = String::from_utf8_lossy(&salt(seed)[..16]).into_owned();
    let fields: Vec<&str> = there.trim_start_matches('!').split('$').collect();
    let (kind, rounds, salt) = match fields.as_slice() {
        ["", kind @ ("5" | "6"), salt, _] => (*kind, None, *salt),
        ["", kind @ ("5" | "6"), rounds, salt, _] => (*kind, rounds.strip_prefix("rounds="), *salt),
        _ => ("6", None, fresh.as_str()),
    };
    let shown = rounds.map_or_else(String::new, |rounds| format!("rounds={rounds}$"));
    let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(5000);
    // The library's own limits; more would only take time.
    let rounds = usize::clamp(rounds, 1000, 10_000_000);
    let sum: Hash<'_> = if kind == "5" { &sha256 } else { &sha512 };
    let text = crypt(sum, password.as_bytes(), salt.as_bytes(), rounds);
    format!("${kind}${shown}{salt}${}", String::from_utf8_lossy(&text))
}

/// Whether `kept` was made of this password.
pub(crate) fn is_caching(password: &str, kept: &[u8]) -> bool {
    let Some(rest) = kept.strip_prefix(b"$A$") else {
        return false;
    };
    let (Some(rounds), Some(salt), Some(sum)) = (rest.get(..3), rest.get(4..4 + SALT), rest.get(4 + SALT..))
    else {
        return false;
    };
    let rounds = std::str::from_utf8(rounds)
        .ok()
        .and_then(|digits| usize::from_str_radix(digits, 16).ok());
    rounds.is_some_and(|rounds| crypt(&sha256, password.as_bytes(), salt, rounds * 1000) == sum)
}

/// A salt of printable letters from some text.
pub(crate) fn salt(of: &str) -> Vec<u8> {
    Digest::of(of).bytes()[..SALT]
        .iter()
        .map(|byte| LETTERS[usize::from(byte % 64)])
        .collect()
}

const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A hash function.
type Hash<'h> = &'h dyn Fn(&[u8]) -> Vec<u8>;

/// Ulrich Drepper's SHA-crypt, with a salt of any length.
fn crypt(hash: Hash<'_>, key: &[u8], salt: &[u8], rounds: usize) -> Vec<u8> {
    let other = hash(&[key, salt, key].concat());
    let mut text = [key, salt, &cycled(&other, key.len())].concat();
    let mut bits = key.len();
    while bits > 0 {
        text.extend(if bits & 1 == 1 { &other[..] } else { key });
        bits >>= 1;
    }
    let mut sum = hash(&text);
    let keys = cycled(&hash(&key.repeat(key.len())), key.len());
    let salts = cycled(&hash(&salt.repeat(16 + usize::from(sum[0]))), salt.len());
    for round in 0..rounds {
        let mut text: Vec<u8> = Vec::with_capacity(128);
        text.extend(if round % 2 == 1 { &keys[..] } else { &sum[..] });
        if round % 3 != 0 {
            text.extend(&salts);
        }
        if round % 7 != 0 {
            text.extend(&keys);
        }
        text.extend(if round % 2 == 1 { &sum[..] } else { &keys[..] });
        sum = hash(&text);
    }
    // The bytes go by three, from places a third apart, each time one further round.
    let mut out = Vec::with_capacity(86);
    let long = sum.len() == 64;
    let third = sum.len() / 3;
    let mut places = [0, third, 2 * third];
    for _ in 0..third {
        encode(&mut out, sum[places[0]], sum[places[1]], sum[places[2]], 4);
        let [first, second, last] = places.map(|place| place + 1);
        places = if long {
            [second, last, first]
        } else {
            [last, first, second]
        };
    }
    if long {
        encode(&mut out, 0, 0, sum[63], 2);
    } else {
        encode(&mut out, 0, sum[31], sum[30], 3);
    }
    out
}

fn encode(out: &mut Vec<u8>, high: u8, middle: u8, low: u8, letters: usize) {
    let mut bits = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
    for _ in 0..letters {
        out.push(LETTERS[bits % 64]);
        bits /= 64;
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Digest::of(bytes).bytes().to_vec()
}

fn cycled(bytes: &[u8], length: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(length).collect()
}

/// SHA-1 (FIPS 180-4), which only old passwords still need.
pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut text = bytes.to_vec();
    text.push(0x80);
    while text.len() % 64 != 56 {
        text.push(0);
    }
    text.extend((bytes.len() as u64 * 8).to_be_bytes());
    for block in text.chunks_exact(64) {
        let mut words: Vec<u32> = block
            .chunks_exact(4)
            .map(|four| four.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)))
            .collect();
        for place in 16..80 {
            let word = words[place - 3] ^ words[place - 8] ^ words[place - 14] ^ words[place - 16];
            words.push(word.rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (round, word) in words.iter().enumerate() {
            let (mixed, constant) = match round / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut out = [0; 20];
    for (place, word) in out.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        assert_eq!(native("mypass"), "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
        assert_eq!(to_hex(&sha1(b"")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(
            to_hex(&sha1(&[b'a'; 200])),
            "e61cfffe0d9195a525fc6cf06ca2d77119c24a40"
        );
        let sum = crypt(&sha256, b"Hello world!", b"saltstring", 5000);
        assert_eq!(sum, b"5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
        let kept = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
        assert_eq!(shadow("Hello world!", kept, "x"), kept);
        assert_ne!(shadow("Hello world", kept, "x"), kept);
        let few = "$6$rounds=1400$anotherlongsalts$";
        assert!(shadow("a", &format!("{few}x"), "x").starts_with(few));
        assert!(shadow("a", "!", "host user").starts_with("$6$"));
        let kept = caching("secret", &salt("a"));
        assert_eq!(kept.len(), 70);
        assert!(is_caching("secret", &kept) && !is_caching("Secret", &kept) && !is_caching("", b""));
    }
}
