//! A node without containers: it knows some commands and ports, and counts what runs.

use std::io;
use std::sync::{Arc, Mutex};

use coracle_node_connection::{
    Answer, Bytes, Connection, Error, ExecRequest, ExecSession, LogQuery, Node, Pod, Sink, Size,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::watch;

/// Bytes that a pipe of this node holds.
const PIPE: usize = 64 << 10;

/// What port 82 sends before it closes.
pub(crate) const SENT: usize = 8 << 20;

/// The node.
#[derive(Default)]
pub(crate) struct Fake {
    /// Queries for logs so far.
    pub(crate) queries: Mutex<Vec<LogQuery>>,
    /// The pods' ends of followed logs.
    pub(crate) followed: Mutex<Vec<DuplexStream>>,
    /// One clone for each command and connection that runs.
    running: Arc<()>,
    /// Bytes that the command `flood` has written.
    pub(crate) flooded: Arc<Mutex<usize>>,
}

impl Fake {
    /// How many commands and connections run.
    pub(crate) fn running(&self) -> usize {
        Arc::strong_count(&self.running) - 1
    }
}

/// Byte number `at` of a sequence in which neighbours and pages differ.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + at / 4096) % 251).unwrap()).collect()
}

impl Node for Fake {
    fn logs(&self, query: LogQuery) -> Answer<'_, Bytes> {
        self.queries.lock().unwrap().push(query.clone());
        Box::pin(async move {
            if query.container == "broken" {
                return Err(Error::Failed("no disk".to_owned()));
            }
            if query.previous {
                return Ok(Box::new(&b"before\n"[..]) as Bytes);
            }
            let lines: Vec<String> = (1..=5).map(|line| format!("line {line}\n")).collect();
            let tail = query.tail_lines.map_or(5, |lines| usize::try_from(lines).unwrap()).min(5);
            let text = lines[5 - tail..].concat().into_bytes();
            if !query.follow {
                return Ok(Box::new(io::Cursor::new(text)) as Bytes);
            }
            let (ours, theirs) = duplex(PIPE);
            self.followed.lock().unwrap().push(ours);
            Ok(Box::new(io::Cursor::new(text).chain(theirs)) as Bytes)
        })
    }

    fn exec(&self, request: ExecRequest) -> Answer<'_, ExecSession> {
        Box::pin(async move {
            let command: Vec<&str> = request.command.iter().map(String::as_str).collect();
            if matches!(command.as_slice(), ["missing"] | ["exit", _]) {
                // Kubernetes' client of 1.32 drops what comes before it has made its streams ("Unknown stream id 1,
                // discarding message"; later releases wait). Starting a process takes longer than that; this node
                // would be faster.
                tokio::time::sleep_until(tokio::time::Instant::now() + std::time::Duration::from_millis(300)).await;
            }
            if command == ["missing"] {
                let text = "failed to start exec: exec: \"missing\": executable file not found in $PATH: unknown";
                return Err(Error::Failed(text.to_owned()));
            }
            let (stdin, of_stdin) = duplex(PIPE);
            let (stdout, of_stdout) = duplex(PIPE);
            let (stderr, of_stderr) = duplex(PIPE);
            let (resize, sizes) = watch::channel(Size::default());
            let process = Process { stdin: of_stdin, stdout: of_stdout, stderr: of_stderr, sizes };
            let (running, flooded, argv) =
                (Arc::clone(&self.running), Arc::clone(&self.flooded), request.command.clone());
            let mut task = tokio::task::JoinSet::new();
            task.spawn(async move {
                let code = process.run(&argv, &flooded).await.unwrap_or(141);
                drop(running);
                code
            });
            Ok(ExecSession {
                stdin: request.stdin.then(|| Box::new(stdin) as Sink),
                stdout: request.stdout.then(|| Box::new(stdout) as Bytes),
                stderr: request.stderr.then(|| Box::new(stderr) as Bytes),
                resize: request.tty.then_some(resize),
                exit: Box::pin(async move { Ok(task.join_next().await.unwrap().unwrap()) }),
            })
        })
    }

    fn port_forward(&self, _: Pod, port: u16) -> Answer<'_, Connection> {
        let running = Arc::clone(&self.running);
        Box::pin(async move {
            if port == 81 {
                return Err(Error::Failed("dial tcp4 127.0.0.1:81: connect: connection refused".to_owned()));
            }
            let (ours, theirs) = duplex(PIPE);
            tokio::spawn(async move {
                let (mut from, mut to) = tokio::io::split(ours);
                let _ = match port {
                    // Sends and closes, whatever comes.
                    82 => to.write_all(&pattern(SENT)).await,
                    // Answers only when everything has come.
                    83 => {
                        let mut all = Vec::new();
                        let _ = from.read_to_end(&mut all).await;
                        to.write_all(format!("{}", all.len()).as_bytes()).await
                    }
                    _ => tokio::io::copy(&mut from, &mut to).await.map(drop),
                };
                let _ = to.shutdown().await;
                // The rest is read, so that the client sees no error.
                let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
                drop(running);
            });
            Ok(Box::new(theirs) as Connection)
        })
    }
}

/// A command and its streams.
struct Process {
    stdin: DuplexStream,
    stdout: DuplexStream,
    stderr: DuplexStream,
    sizes: watch::Receiver<Size>,
}

impl Process {
    async fn run(mut self, command: &[String], flooded: &Mutex<usize>) -> io::Result<i32> {
        match command.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["exit", code] => {
                self.stdout.write_all(b"out\n").await?;
                self.stderr.write_all(b"err\n").await?;
                Ok(code.parse().unwrap())
            }
            ["cat"] => {
                tokio::io::copy(&mut self.stdin, &mut self.stdout).await?;
                Ok(0)
            }
            // Reads little of what comes.
            ["head"] => {
                let mut start = [0; 10];
                self.stdin.read_exact(&mut start).await?;
                self.stdout.write_all(&start).await?;
                Ok(0)
            }
            ["size"] => loop {
                tokio::select! {
                    changed = self.sizes.changed() => {
                        changed.map_err(io::Error::other)?;
                        let Size { columns, rows } = *self.sizes.borrow_and_update();
                        self.stdout.write_all(format!("{columns}x{rows}\r\n").as_bytes()).await?;
                    }
                    byte = self.stdin.read_u8() => if byte? == b'q' {
                        return Ok(3);
                    },
                }
            },
            ["flood"] => loop {
                self.stdout.write_all(&[b'x'; 1024]).await?;
                *flooded.lock().unwrap() += 1024;
            },
            ["hang"] => std::future::pending().await,
            other => panic!("{other:?} is no command of this node"),
        }
    }
}
