//! The lines of a run file: each a JSON object with a number and a checksum that covers everything before it.
//!
//! `{"seq":3,"sum":"<32 hex>","record":{…}}`. The checksum is the beginning of the SHA-256 of the previous checksum,
//! the number and the record's bytes as written, so a line cannot be changed, dropped or moved unnoticed. Bytes are
//! checked, never a value written out again.

use proto::Digest;

/// The chain up to some line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    seq: u64,
    sum: String,
}

impl Chain {
    /// The number the next line will have, which is the number of lines so far.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    /// Writes the next line, its end included. `record` is one line of JSON.
    pub(super) fn write(&mut self, record: &str) -> Vec<u8> {
        let sum = self.sum_of(record.as_bytes());
        let line = format!("{{\"seq\":{},\"sum\":\"{sum}\",\"record\":{record}}}\n", self.seq);
        self.seq += 1;
        self.sum = sum;
        line.into_bytes()
    }

    /// Reads the next line, without its end; `None` when it is not the next line of this chain.
    pub(super) fn read<'a>(&mut self, line: &'a [u8]) -> Option<&'a [u8]> {
        let rest = line.strip_prefix(format!("{{\"seq\":{},\"sum\":\"", self.seq).as_bytes())?;
        let (sum, rest) = rest.split_at_checked(32)?;
        let record = rest.strip_prefix(b"\",\"record\":")?.strip_suffix(b"}")?;
        let sum = std::str::from_utf8(sum).ok()?;
        if self.sum_of(record) != sum {
            return None;
        }
        self.seq += 1;
        self.sum = sum.to_owned();
        Some(record)
    }

    fn sum_of(&self, record: &[u8]) -> String {
        let bytes = [self.sum.as_bytes(), &self.seq.to_be_bytes()[..], record].concat();
        let mut hex = Digest::of(bytes).hex();
        hex.truncate(32);
        hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(records: &[&str]) -> Vec<Vec<u8>> {
        let mut chain = Chain::default();
        records.iter().map(|record| chain.write(record)).collect()
    }

    fn readable(lines: &[Vec<u8>]) -> usize {
        let mut chain = Chain::default();
        lines
            .iter()
            .take_while(|line| chain.read(line.strip_suffix(b"\n").unwrap_or(line)).is_some())
            .count()
    }

    #[test]
    fn lines_are_json_and_read_back() {
        let lines = written(&[r#"{"a":1}"#, r#"{"b":"}"}"#]);
        assert_eq!(readable(&lines), 2);
        let json: serde_json::Value = serde_json::from_slice(&lines[1]).unwrap();
        assert_eq!((&json["seq"], &json["record"]["b"]), (&1.into(), &"}".into()));
    }

    #[test]
    fn any_change_is_noticed() {
        let lines = written(&[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#]);
        for (line, bytes) in lines.iter().enumerate() {
            for index in 0..bytes.len() - 1 {
                let mut changed = lines.clone();
                changed[line][index] ^= 1;
                assert!(readable(&changed) <= line, "{line} {index}");
            }
        }
        let dropped = [lines[0].clone(), lines[2].clone()];
        let moved = [lines[1].clone(), lines[0].clone()];
        let other = [lines[0].clone(), written(&["{}", r#"{"a":2}"#])[1].clone()];
        assert_eq!(
            (readable(&dropped), readable(&moved), readable(&other)),
            (1, 0, 1)
        );
    }
}
