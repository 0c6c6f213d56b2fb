//! The program in the containers.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does what the arguments say.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", port, folder] => serve(port, folder),
        ["wait"] => {}
        ["say", out, err, code] => {
            println!("{out}");
            eprintln!("{err}");
            return ExitCode::from(code.parse::<u8>().unwrap());
        }
        ["exit", code] => return ExitCode::from(code.parse::<u8>().unwrap()),
        ["lines", count] => (0..count.parse::<u32>().unwrap()).for_each(|line| println!("line {line}")),
        ["env", name] => println!("{}", std::env::var(name).unwrap_or_default()),
        ["read", path] => print!("{}", fs::read_to_string(path).unwrap()),
        ["write", path, text] => return code(fs::write(path, text).is_ok()),
        ["exists", path] => return code(fs::exists(path).unwrap()),
        ["status", field] => {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
            println!("{}", line.unwrap_or_default().trim());
        }
        ["cat"] => drop(io::copy(&mut io::stdin(), &mut io::stdout()).unwrap()),
        ["fetch", address, path] => match fetch(address, path) {
            Ok(page) => print!("{page}"),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        },
        other => panic!("{other:?}"),
    }
    if matches!(arguments.first(), Some(&"serve" | &"wait")) {
        wait_for_term();
    }
    ExitCode::SUCCESS
}

fn code(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first process of a PID namespace has to ask for its end.
fn wait_for_term() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).unwrap();
        println!("ready");
        term.recv().await;
        println!("told to end");
    });
}

fn serve(port: &str, folder: &str) {
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).unwrap();
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            drop(answer(stream, &folder));
        }
    });
}

fn answer(mut stream: TcpStream, folder: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
    let (status, body) = match fs::read(format!("{folder}/{path}")) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

fn fetch(address: &str, path: &str) -> Result<String, String> {
    let words = |error: io::Error| format!("{address}: {error}");
    let to = address.parse().map_err(|error| format!("{address}: {error}"))?;
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(words)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(words)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").map_err(words)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(words)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(answer),
    }
}
