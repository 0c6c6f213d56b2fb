//! `kubectl exec`.

use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cluster::{Cluster, LIMIT, kill, kubectls};
use crate::node::pattern;

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_and_refusals_reach_the_user() {
    let cluster = Cluster::start().await;
    for program in kubectls().await {
        for (arguments, code, expected, failure) in [
            ("exec one -- exit 0", 0, "out\n", "err\n"),
            ("exec one -c c -- exit 7", 7, "out\n", "err\ncommand terminated with exit code 7\n"),
            (
                "exec p -- exit 1",
                1,
                "out\n",
                "Defaulted container \"c\" out of: c, broken, late\nerr\ncommand terminated with exit code 1\n",
            ),
            (
                "exec one -- missing",
                1,
                "",
                "error: Internal error occurred: error executing command in container: failed to start exec: exec: \"missing\": executable file not found in $PATH: unknown\n",
            ),
        ] {
            let (status, stdout, stderr) = cluster.run(&program, arguments).await;
            assert_eq!((status, &*stdout, &*stderr), (code, expected, failure), "{arguments}");
        }
        for (arguments, part) in [
            ("exec far -- exit 0", "error dialing backend: node \"away\" is not connected"),
            ("exec new -- exit 0", "pod new does not have a host assigned"),
            ("exec none -- exit 0", "pods \"none\" not found"),
            ("exec one -c x -- exit 0", "container x is not valid for pod one"),
            ("attach one", "attaching to a container's first process is not part of this version"),
        ] {
            let (status, _, stderr) = cluster.run(&program, arguments).await;
            assert!(status == 1 && stderr.contains(part), "{arguments}: {stderr}");
        }
    }
    cluster.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_insist_on_spdy_are_told() {
    let cluster = Cluster::start().await;
    for program in kubectls().await {
        let mut command = cluster.kubectl(&program, &["exec", "one", "--", "exit", "0"]);
        let output = command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false").output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("unable to upgrade: SPDY is not supported, use a client that speaks"), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn much_input_comes_back_unchanged() {
    let cluster = Cluster::start().await;
    let sent = pattern(10 << 20);
    for program in kubectls().await {
        let mut child = cluster.kubectl(&program, &["exec", "-i", "one", "--", "cat"]).spawn().unwrap();
        let (mut stdin, content) = (child.stdin.take().unwrap(), sent.clone());
        let writing = tokio::spawn(async move { stdin.write_all(&content).await });
        let output = timeout(LIMIT, child.wait_with_output()).await.unwrap().unwrap();
        writing.await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == sent, "{} bytes of {} came back", output.stdout.len(), sent.len());
    }
    cluster.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_reads_little_ends_in_peace() {
    let cluster = Cluster::start().await;
    for program in kubectls().await {
        let mut child = cluster.kubectl(&program, &["exec", "-i", "one", "--", "head"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // kubectl may stop reading before all is written.
        let writing = tokio::spawn(async move {
            let _ = stdin.write_all(&pattern(4 << 20)).await;
        });
        let output = timeout(LIMIT, child.wait_with_output()).await.unwrap().unwrap();
        writing.await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout, pattern(10));
    }
    cluster.settled().await;
}

/// A terminal of some size: the side of the program that shows it, and the side of the programs in it.
fn terminal(size: Winsize) -> (OwnedFd, std::fs::File) {
    let shown = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&shown).unwrap();
    unlockpt(&shown).unwrap();
    let name = ptsname(&shown, Vec::new()).unwrap().into_string().unwrap();
    let inside = std::fs::File::options().read(true).write(true).open(name).unwrap();
    tcsetwinsize(&shown, size).unwrap();
    (shown, inside)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_the_size_that_the_user_sees() {
    let cluster = Cluster::start().await;
    let size = |columns, rows| Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    for program in kubectls().await {
        let (shown, inside) = terminal(size(100, 40));
        let streams = [inside.try_clone().unwrap(), inside.try_clone().unwrap(), inside];
        let [stdin, stdout, stderr] = streams.map(Stdio::from);
        // Only a session with the terminal hears of its sizes.
        let mut command = Command::new("/usr/bin/setsid");
        cluster.administrate(&mut command);
        command.env("TERM", "xterm").arg("--wait").arg("--ctty").arg(&program);
        command.args(["exec", "-it", "one", "--", "size"]).stdin(stdin).stdout(stdout).stderr(stderr);
        let mut child = command.spawn().unwrap();
        // The command held copies of the inner side, whose last close the shown side sees as the end.
        drop(command);
        let keyboard = shown.as_fd().try_clone_to_owned().unwrap();
        let (sender, mut output) = tokio::sync::mpsc::unbounded_channel();
        let mut screen = std::fs::File::from(shown.as_fd().try_clone_to_owned().unwrap());
        let reading = std::thread::spawn(move || {
            let mut bytes = [0; 256];
            while let Ok(length @ 1..) = std::io::Read::read(&mut screen, &mut bytes) {
                let _ = sender.send(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
        });
        let mut seen = String::new();
        let mut until = async |text: &str| {
            while !seen.contains(text) {
                seen += &timeout(LIMIT, output.recv()).await.unwrap().unwrap_or_else(|| panic!("{seen}"));
            }
        };
        until("100x40\r\n").await;
        tcsetwinsize(&shown, size(120, 50)).unwrap();
        until("120x50\r\n").await;
        rustix::io::write(&keyboard, b"q").unwrap();
        assert_eq!(timeout(LIMIT, child.wait()).await.unwrap().unwrap().code(), Some(3));
        drop((shown, keyboard));
        reading.join().unwrap();
    }
    cluster.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_client_leaves_nothing() {
    let cluster = Cluster::start().await;
    for program in kubectls().await {
        for command in ["hang", "cat", "flood"] {
            let mut child = cluster.kubectl(&program, &["exec", "-i", "one", "--", command]).spawn().unwrap();
            let waiting = async {
                while cluster.node.running() == 0 {
                    tokio::task::yield_now().await;
                }
            };
            timeout(LIMIT, waiting).await.unwrap();
            if command == "flood" {
                child.stdout.as_mut().unwrap().read_exact(&mut vec![0; 1 << 20]).await.unwrap();
            }
            kill(child).await;
            cluster.settled().await;
        }
    }
}
