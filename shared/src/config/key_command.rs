//! The encryption keys from a command: a KMS, a vault, a password manager.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use crate::crypto::{CryptoError, KeyRing};
use crate::secret::Secret;

/// How long the command may take.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// A ring of keys is far smaller.
const MAX_OUTPUT: u64 = 64 * 1024;
/// What is kept, and told, of what it says on standard error.
const MAX_COMPLAINT: usize = 500;

/// Runs the command and reads the keys that it prints, checked. The error tells what it said on standard
/// error, and nothing of what it printed.
pub(super) fn run(text: &str, limit: Duration) -> Result<Secret, String> {
    let words = words(text)?;
    let (program, arguments) = words.split_first().ok_or("is empty")?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Whatever it starts is ended with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("'{program}' cannot be started ({})", error.kind()))?;
    let group = Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    // Not waited for when time is up: it ends with the last process that holds the pipes.
    std::thread::spawn(move || tell.send(attend(child)));
    let Ok(ended) = told.recv_timeout(limit) else {
        // There is none any more, or it is killed: both will do.
        let _ = kill_process_group(group, Signal::KILL);
        return Err(format!(
            "did not end within {} and was killed",
            humantime::format_duration(limit)
        ));
    };
    let ended = ended.map_err(|error| format!("cannot be read ({})", error.kind()))?;
    if !ended.status.success() {
        let said = match ended.complaint.as_str() {
            "" => "it said nothing on standard error".to_owned(),
            complaint => format!("it said: {complaint}"),
        };
        return Err(format!("failed ({}); {said}", ended.status));
    }
    if ended.output.len() as u64 > MAX_OUTPUT {
        return Err(format!("printed more than {MAX_OUTPUT} bytes"));
    }
    let keys = std::str::from_utf8(&ended.output).map_err(|_| "did not print UTF-8 text")?;
    let keys = Secret::new(keys.trim());
    match KeyRing::parse(keys.expose()) {
        Ok(_) => Ok(keys),
        Err(CryptoError::Empty) => Err("printed no key".to_owned()),
        Err(
            error @ (CryptoError::NoSeparator { .. }
            | CryptoError::KeyId { .. }
            | CryptoError::DuplicateId { .. }),
        ) => Err(format!("printed no key ring: {error}")),
        // What looks like an id may be anything.
        Err(_) => Err(
            "printed no key ring: each key must be an id, ':' and 64 hexadecimal digits".to_owned(),
        ),
    }
}

struct Ended {
    status: ExitStatus,
    output: Zeroizing<Vec<u8>>,
    complaint: String,
}

/// Reads both pipes to their ends, since a full one would hold the command up, and waits for it.
fn attend(mut child: Child) -> std::io::Result<Ended> {
    let complaint = child
        .stderr
        .take()
        .map(|pipe| std::thread::spawn(move || complaint(pipe)));
    // Of its full size at once: a vector that grows leaves its old copy unwiped.
    let mut output = Zeroizing::new(Vec::with_capacity(MAX_OUTPUT as usize + 64));
    if let Some(pipe) = child.stdout.take() {
        pipe.take(MAX_OUTPUT + 1).read_to_end(&mut output)?;
    }
    let status = child.wait()?;
    let complaint = complaint.and_then(|reader| reader.join().ok());
    Ok(Ended {
        status,
        output,
        complaint: complaint.unwrap_or_default(),
    })
}

/// The beginning of what is said on standard error, as one line.
fn complaint(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    // A pipe that breaks has said what it had to say.
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        let room = (4 * MAX_COMPLAINT).saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..length.min(room)]);
    }
    let text = String::from_utf8_lossy(&kept);
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_COMPLAINT)
        .collect();
    line.trim().to_owned()
}

/// Takes a command line apart: at spaces, but for those between quotes of either kind. There is no shell, so
/// nothing else means anything but itself.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("has a quote that does not end");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: Duration = Duration::from_mins(1);

    fn shell(script: &str) -> String {
        format!("/bin/sh -c \"{script}\"")
    }

    #[test]
    fn a_command_line_is_taken_apart_without_a_shell() {
        let apart = |text| words(text).unwrap();
        assert_eq!(
            apart("  kms  decrypt --key k "),
            ["kms", "decrypt", "--key", "k"]
        );
        assert_eq!(
            apart("a 'b  c' \"d'e\" f''g ''"),
            ["a", "b  c", "d'e", "fg", ""]
        );
        assert_eq!(
            apart("a $HOME `id` | b; c\\ d > e"),
            ["a", "$HOME", "`id`", "|", "b;", "c\\", "d", ">", "e"]
        );
        assert_eq!(words("a 'b").unwrap_err(), "has a quote that does not end");
    }

    #[test]
    fn the_keys_are_what_it_prints() {
        let ring = format!("k2:{}, k1:{}", "cd".repeat(32), "ab".repeat(32));
        let keys = run(&shell(&format!("echo noise >&2; echo '{ring}'")), PATIENT).unwrap();
        assert_eq!(keys.expose(), ring);
    }

    #[test]
    fn a_failure_tells_what_was_said_and_not_what_was_printed() {
        let error = run(&shell("echo hunter2; echo no access >&2; exit 3"), PATIENT).unwrap_err();
        assert_eq!(error, "failed (exit status: 3); it said: no access");
        let long = run(&shell("yes no | head -c 100000 >&2; exit 1"), PATIENT).unwrap_err();
        assert!(long.len() < 600, "{long}");
        for script in [
            "echo hunter2",
            "echo hunter2:hunter2",
            "echo hunter2 hunter2:00",
            "printf '\\377hunter2'",
            "yes hunter2",
            "true",
        ] {
            let error = run(&shell(script), PATIENT).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(run(" ", PATIENT).unwrap_err(), "is empty");
        let error = run("/nowhere/kms decrypt", PATIENT).unwrap_err();
        assert!(
            error.contains("'/nowhere/kms' cannot be started"),
            "{error}"
        );
    }

    #[test]
    fn what_does_not_end_is_killed() {
        // It waits for what never comes, in a process of its own.
        let script = "mkfifo $0/pipe; cat $0/pipe & cat $0/pipe";
        let folder = tempfile::tempdir().unwrap();
        let command = format!("{} {}", shell(script), folder.path().display());
        let error = run(&command, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error, "did not end within 50ms and was killed");
    }
}
