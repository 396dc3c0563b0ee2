//! The sample application's notes, as a client of the site sees them.

use std::time::{Duration, Instant};

use lab::http::{Request, Response};
use serde_json::{Value as Json, json};

use super::{Scene, Trouble};

/// A note that was written, and who did.
pub(super) struct Written {
    pub(super) id: u64,
    /// The database it was written to, as the application says it.
    pub(super) to: String,
    /// When the answer was there.
    pub(super) at: Instant,
}

/// A note that was read, and who did.
pub(super) struct Read {
    pub(super) text: String,
    /// The database it was read from, as the application says it.
    pub(super) from: String,
}

impl Scene {
    /// Writes a note.
    pub(super) fn write_note(&self, text: &str) -> Result<Written, Trouble> {
        let path = "/api/notes";
        let response = self.ask(&Request::post(path, json!({ "text": text }).to_string()))?;
        let at = Instant::now();
        let body = body(path, 201, &response)?;
        let id = body["id"].as_u64();
        Ok(Written {
            id: id.ok_or_else(|| format!("{path} answered without an id: {}", response.body))?,
            to: word(path, &body, "written_to")?,
            at,
        })
    }

    /// Reads a note; `None` where it is not there (yet).
    pub(super) fn read_note(&self, id: u64) -> Result<Option<Read>, Trouble> {
        let path = format!("/api/notes/{id}");
        let response = self.ask(&Request::get(&path))?;
        if response.status == 404 {
            return Ok(None);
        }
        let body = body(&path, 200, &response)?;
        Ok(Some(Read {
            text: word(&path, &body, "text")?,
            from: word(&path, &body, "read_from")?,
        }))
    }

    /// Writes a note and reads it back from wherever the application reads; with the time from the answer to the write
    /// until it could be read.
    pub(super) fn there_and_back(&self, text: &str) -> Result<(Written, Read, Duration), Trouble> {
        let written = self.write_note(text)?;
        let what = format!("note {} to be readable", written.id);
        let read = self.until(&what, Duration::from_secs(20), || self.read_note(written.id))?;
        let lag = written.at.elapsed();
        if read.text != text {
            return Err(format!("note {} reads {:?}, not {text:?}", written.id, read.text).into());
        }
        Ok((written, read, lag))
    }
}

fn body(path: &str, status: u16, response: &Response) -> Result<Json, Trouble> {
    if response.status != status {
        let said: String = response.body.chars().take(200).collect();
        return Err(format!("{path} answered {} instead of {status}: {said}", response.status).into());
    }
    serde_json::from_str(&response.body).map_err(|error| format!("{path} answered no JSON: {error}").into())
}

fn word(path: &str, body: &Json, key: &str) -> Result<String, Trouble> {
    let word = body[key].as_str();
    word.map(str::to_owned)
        .ok_or_else(|| format!("{path} answered without {key}: {body}").into())
}

/// What request number `number` of the load asks for: of ten, two write, four read what was written long ago, and the
/// others ask for the page and for who answers.
pub(super) fn traffic(number: u64) -> Request {
    match number % 10 {
        0 | 5 => Request::post(
            "/api/notes",
            json!({ "text": format!("load {number}") }).to_string(),
        ),
        1 | 3 | 6 | 8 => Request::get(format!("/api/notes/{}", 1 + number % 7)),
        2 | 7 => Request::get("/api/whoami"),
        _ => Request::get("/"),
    }
}
