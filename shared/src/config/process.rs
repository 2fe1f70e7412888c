//! The process itself: its name among others, and what it must not do with its memory.

use crate::ambient::Ambient;

/// Forbids core dumps, and with them attaching a debugger without privileges: memory holds values
/// and keys. The limit alone would not do, because a dump that is piped to a program ignores it.
pub fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%error, "the process could not be made undumpable");
    }
}

/// Lets the process have as many files and connections open as the system allows it. Many systems
/// begin with a thousand, which is less than a process of this kind may need.
pub fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// A name that no other process has, nor had: machine, process and something random, because
/// process ids come back.
pub fn process_name(ambient: &Ambient) -> String {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    let machine: String = machine
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(32)
        .collect();
    let random = hex::encode(ambient.random::<4>());
    format!("{machine}-{}-{random}", std::process::id())
}
