//! Random filters. With a seed they give what Salt gives: Python's Mersenne Twister, seeded the same way.

use rand::Rng as _;
use sha2::{Digest, Sha512};

use super::Table;
use super::hashes::{bytes, hex};
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::text::str;
use crate::compile::jinja::values::{Value, items};

pub(super) static FILTERS: Table = &[
    ("random", |it, value, _| {
        let all = items::collect(&value)?;
        if all.is_empty() {
            return Ok(it.undefined_saying("No random item, sequence was empty.".to_owned()));
        }
        Ok(all[rand::rng().random_range(0..all.len())].clone())
    }),
    ("random_sample", |_, value, args| {
        let bound = args.bind("sample", ["size", "seed"], 1)?;
        sample(&value, bound.int(0, 0)?, bound.some(1))
    }),
    ("random_shuffle", |_, value, args| {
        let bound = args.bind("shuffle", ["seed"], 0)?;
        let size = items::collect(&value)?.len() as i128;
        sample(&value, size, bound.some(0))
    }),
    ("random_str", |_, value, _| {
        let size = CallArgs::of(vec![value])
            .bind("random", ["size"], 1)?
            .int(0, 32)?;
        let size = crate::compile::jinja::methods::strings::width(size)?;
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut rng = rand::rng();
        let text: String = (0..size)
            .map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]))
            .collect();
        Ok(Value::from(text))
    }),
    ("random_hash", random_hash),
    ("rand_str", random_hash),
    ("gen_mac", |_, value, _| {
        let tail: [u8; 3] = rand::rng().random();
        Ok(Value::from(format!(
            "{}:{:02X}:{:02X}:{:02X}",
            str(&value)?,
            tail[0],
            tail[1],
            tail[2]
        )))
    }),
];

fn random_hash(
    _it: &mut crate::compile::jinja::eval::Interp<'_>,
    value: Value,
    args: CallArgs,
) -> Res<Value> {
    let bound = args.bind("random_hash", ["hash_type"], 0)?;
    let kind = if bound.some(0).is_some() {
        bound.text(0)?
    } else {
        "md5".to_owned()
    };
    let most = value.as_int().unwrap_or(9_999_999_999).max(0);
    let number = rand::rng().random_range(0..=most).to_string();
    let digest = match kind.as_str() {
        "md5" => hex(&md5::Md5::digest(number)),
        "sha1" => hex(&sha1::Sha1::digest(number)),
        "sha256" => hex(&sha2::Sha256::digest(number)),
        "sha512" => hex(&Sha512::digest(number)),
        other => {
            return Err(fault::other(format!(
                "module 'hashlib' has no attribute '{other}'"
            )));
        }
    };
    Ok(Value::from(digest))
}

/// `random.sample`.
fn sample(value: &Value, size: i128, seed: Option<&Value>) -> Res<Value> {
    let mut pool = items::collect(value)?;
    let count = pool.len();
    let size = usize::try_from(size).ok().filter(|size| *size <= count);
    let Some(size) = size else {
        return Err(fault::other("Sample larger than population or is negative"));
    };
    let mut twister = seed
        .map(|seed| bytes(seed).map(|seed| Twister::seeded(&hex(&Sha512::digest(seed)))))
        .transpose()?;
    let mut below = |n: usize| match &mut twister {
        Some(twister) => twister.below(n),
        None => rand::rng().random_range(0..n),
    };
    let mut room = 21usize;
    if size > 5 {
        room += 4usize.pow(((size * 3) as f64).log(4.0).ceil() as u32);
    }
    let mut out = Vec::with_capacity(size);
    if count <= room {
        for taken in 0..size {
            let at = below(count - taken);
            out.push(pool[at].clone());
            pool[at] = pool[count - taken - 1].clone();
        }
    } else {
        let mut chosen = std::collections::HashSet::new();
        while out.len() < size {
            let at = below(count);
            if chosen.insert(at) {
                out.push(pool[at].clone());
            }
        }
    }
    Ok(Value::list(out))
}

/// MT19937.
pub(crate) struct Twister {
    state: [u32; 624],
    at: usize,
}

impl Twister {
    /// Seeded with a text, as `random.Random(text)` is: the text and its digest as one large number.
    pub(crate) fn seeded(text: &str) -> Self {
        let mut key = text.as_bytes().to_vec();
        key.extend_from_slice(&Sha512::digest(text));
        key.reverse();
        let words: Vec<u32> = key
            .chunks(4)
            .map(|chunk| {
                chunk
                    .iter()
                    .rev()
                    .fold(0, |word, byte| (word << 8) | u32::from(*byte))
            })
            .collect();
        let mut state = [0u32; 624];
        state[0] = 19_650_218;
        for i in 1..624 {
            let last = state[i - 1];
            state[i] = 1_812_433_253u32
                .wrapping_mul(last ^ (last >> 30))
                .wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..words.len().max(624) {
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(words[j])
                .wrapping_add(j as u32);
            i += 1;
            j += 1;
            if i >= 624 {
                state[0] = state[623];
                i = 1;
            }
            if j >= words.len() {
                j = 0;
            }
        }
        for _ in 0..623 {
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i >= 624 {
                state[0] = state[623];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, at: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.at >= 624 {
            for i in 0..624 {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
                self.state[i] =
                    self.state[(i + 397) % 624] ^ (y >> 1) ^ if y & 1 == 1 { 0x9908_b0df } else { 0 };
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number below `n`, by as many bits as `n` has.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let bits = (usize::BITS - n.leading_zeros()).clamp(1, 32);
        loop {
            let value = (self.next() >> (32 - bits)) as usize;
            if value < n {
                return value;
            }
        }
    }
}
