//! The program in the container.

use std::fs;
use std::io::Read as _;
use std::process::ExitCode;

/// Its name in the root of the container.
pub(crate) const NAME: &str = "payload";

/// Runs one word after the other: `WORD[=VALUE]`.
pub(crate) fn main(words: &[String]) -> ExitCode {
    for word in words {
        let (word, value) = word.split_once('=').unwrap_or((word, ""));
        match word {
            "exit" => return ExitCode::from(value.parse::<u8>().unwrap()),
            "env" => {
                say(&std::env::vars().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "));
            }
            "cwd" => say(&std::env::current_dir().unwrap().display().to_string()),
            "status" => {
                let text = fs::read_to_string("/proc/self/status").unwrap();
                let lines = text.lines().filter(|line| line.starts_with(value));
                say(&lines
                    .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                    .collect::<Vec<_>>()
                    .join("\n"));
            }
            "read" => say(&fs::read_to_string(value).map_or_else(
                |error| error.kind().to_string(),
                |text| text.split_whitespace().collect::<Vec<_>>().join(" "),
            )),
            "write" => say(&fs::write(value, "x").map_or_else(|error| error.to_string(), |()| "written".to_owned())),
            "link" => {
                say(&fs::read_link(value).map_or_else(|error| error.to_string(), |path| path.display().to_string()));
            }
            "list" => say(&format!("{}", fs::read_dir(value).unwrap().count())),
            "fds" => say(&format!("{}", fs::read_dir("/proc/self/fd").unwrap().count() - 1)),
            "newuser" => say(&crate::sys::clone_new_user().to_string()),
            "mkdir" => say(&fs::create_dir(value).map_or_else(|error| error.to_string(), |()| "made".to_owned())),
            "umask" => say(&format!("{:o}", rustix::process::umask(rustix::fs::Mode::empty()).bits())),
            "nofile" => say(&format!("{:?}", rustix::process::getrlimit(rustix::process::Resource::Nofile))),
            "session" => say(&format!("{}", rustix::process::getsid(None).unwrap() == rustix::process::getpid())),
            "tty" => {
                let size = rustix::termios::tcgetwinsize(rustix::stdio::stdin()).unwrap();
                let leader = rustix::termios::tcgetsid(rustix::stdio::stdin()).unwrap() == rustix::process::getpid();
                let console = fs::File::open("/dev/console").is_ok();
                let name = rustix::termios::ttyname(rustix::stdio::stdin(), Vec::new()).unwrap();
                say(&format!("{}x{} {leader} {console} {}", size.ws_col, size.ws_row, name.to_string_lossy()));
            }
            "stdout" => say(&fs::OpenOptions::new()
                .write(true)
                .open("/proc/self/fd/1")
                .map_or_else(|error| error.to_string(), |_| "open".to_owned())),
            "wait" => {
                // Until the other end of the input is closed.
                std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            }
            "children" => {
                for _ in 0..value.parse::<u32>().unwrap() {
                    start(&["hang"]);
                }
            }
            "nested" => {
                for name in ["a", "a/b", "c"] {
                    fs::create_dir(format!("/sys/fs/cgroup/{name}")).unwrap();
                }
                start(&["enter=/sys/fs/cgroup/a/b", "hang"]);
            }
            "enter" => fs::write(format!("{value}/cgroup.procs"), "0").unwrap(),
            "hang" => loop {
                std::thread::park();
            },
            _ => panic!("unknown word {word}"),
        }
    }
    ExitCode::SUCCESS
}

fn say(text: &str) {
    println!("{text}");
}

fn start(words: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "the test's own program; its processes die with the container")]
    let mut command = std::process::Command::new(format!("/{NAME}"));
    command.args(words).stdin(std::process::Stdio::null());
    #[expect(clippy::zombie_processes, reason = "it ends with the container")]
    command.spawn().unwrap();
}
