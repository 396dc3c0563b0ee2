//! What is to be installed, as pip's users write it.

use std::collections::BTreeMap;

use super::version::{OPERATORS, fulfils};

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// As written.
    pub(super) text: String,
    /// Its name as pip compares names; `None` for a URL or path, of which nobody knows beforehand what it brings.
    pub(super) name: Option<String>,
    specs: Vec<(String, String)>,
    /// More is asked than a name and versions: extras, or a condition.
    plain: bool,
}

/// Installed packages: version by name.
pub(super) type Installed = BTreeMap<String, String>;

/// A name as pip compares names.
pub(super) fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}

impl Requirement {
    /// Reads `name[extras] >=1,<2; condition`, a URL or a path.
    ///
    /// # Errors
    /// Salt's comment.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let whole = |name, specs, plain| Self {
            text: text.to_owned(),
            name,
            specs,
            plain,
        };
        let file = [".whl", ".zip", ".tar.gz"].iter().any(|end| text.ends_with(end));
        if text.contains("://") || text.contains('/') || text.contains('@') || text.starts_with('.') || file {
            return Ok(whole(None, Vec::new(), false));
        }
        let inside = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let end = text.find(|c| !inside(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let bad = |why: &str| Err(format!("pip raised an exception while parsing '{text}': {why}"));
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return bad("Invalid requirement");
        }
        let (rest, condition) = rest.split_once(';').unwrap_or((rest, ""));
        let rest = rest.trim();
        let (extras, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((extras, rest)) => (extras, rest.trim()),
            None => ("", rest),
        };
        let rest = rest.trim_start_matches('(').trim_end_matches(')');
        let mut specs = Vec::new();
        for spec in rest.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
            match OPERATORS.iter().find(|operator| spec.starts_with(**operator)) {
                Some(operator) => {
                    let version = spec[operator.len()..].trim();
                    if version.is_empty() || version.contains(char::is_whitespace) {
                        return bad("Invalid requirement");
                    }
                    specs.push(((*operator).to_owned(), version.to_owned()));
                }
                None if spec.starts_with('=') => {
                    return Err(format!(
                        "Invalid version specification in package {text}. '=' is not supported, use '==' instead."
                    ));
                }
                None => return bad("Invalid requirement"),
            }
        }
        let plain = condition.trim().is_empty() && extras.trim().is_empty();
        Ok(whole(Some(normal(name)), specs, plain))
    }

    /// Whether what is installed is what is asked for. Extras and conditions do not count, as under Salt.
    pub(super) fn met(&self, installed: &Installed) -> bool {
        let version = self.name.as_ref().and_then(|name| installed.get(name));
        version.is_some_and(|version| fulfils(version, &self.specs) == Some(true))
    }

    /// The packages of a requirements file; `None` where only pip knows what it comes to.
    pub(super) fn lines(text: &str) -> Option<Vec<Self>> {
        let text = text.replace("\\\n", " ");
        let lines = text.lines().map(|line| match line.split_once(" #") {
            Some((line, _)) => line.trim(),
            None => line.trim(),
        });
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let one = |line: &str| {
            let found = Self::parse(line).ok();
            found.filter(|one| one.name.is_some() && one.plain && !line.contains("--"))
        };
        lines.map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_in_every_form() {
        let have = Installed::from([("flask-login".to_owned(), "1.2".to_owned())]);
        for (text, met) in [
            ("Flask_Login", true),
            ("flask.login>=1,<2", true),
            ("flask-login (==1.1)", false),
            ("Flask-Login[x] == 1.2 ; python_version > '3'", true),
            ("other", false),
            ("git+https://example.org/x.git#egg=flask-login", false),
            ("./flask-login", false),
        ] {
            let one = Requirement::parse(text).expect(text);
            assert_eq!(one.met(&have), met, "{text}");
        }
        for bad in ["flask=1.0", "-x", "a b", "a>=", ""] {
            assert!(Requirement::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Requirement::lines("# x\na==1 # why\n\nb\n").map(|all| all.len()),
            Some(2)
        );
        for only_pip in [
            "-r other.txt\n",
            "a; python_version<'3'\n",
            "a==1 --hash=sha256:0\n",
        ] {
            assert_eq!(Requirement::lines(only_pip), None, "{only_pip}");
        }
    }
}
