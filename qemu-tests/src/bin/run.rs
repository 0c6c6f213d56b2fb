//! `make run`, `make stop`, `make console`, `make smoke`: the built image in a virtual machine, as its users have it.

use coracle_contract::marker::Marker;
use qemu_tests::client::Client;
use qemu_tests::command_line::Spec;
use qemu_tests::disk::Disk;
use qemu_tests::image::Image;
use qemu_tests::lab::DISK_BYTES;
use qemu_tests::machine::{self, Architecture, Machine};
use qemu_tests::node::{NAME, STEP_BOUND};
use qemu_tests::tail::{Next, Tail};
use qemu_tests::vm::{Running, Vm};
use qemu_tests::{Error, Lab, Result, healthy, ports, progress, scenario, seed, smoke};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Lines of the console that a failure shows.
const LAST_LINES: usize = 30;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["start"] => start(false),
        ["start", "--fresh"] => start(true),
        ["stop"] => stop(false),
        ["stop", "--force"] => stop(true),
        ["console"] => console(),
        ["smoke"] => run_smoke(),
        _ => {
            eprintln!("run: start [--fresh] | stop [--force] | console | smoke");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; a closed terminal stops nothing.
fn say(text: &str) {
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// The folder of the machine: `target/run`.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")).join("run")
}

/// The machine kind whose instructions the host has, so that its image is built already.
fn kind() -> &'static Machine {
    match Architecture::of_host() {
        Some(Architecture::Aarch64) => &machine::ARM64_UEFI,
        _ => &machine::X86_64_UEFI,
    }
}

fn unexpected(subject: &str, message: String) -> Error {
    Error::Unexpected { subject: subject.to_owned(), message }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::File { operation: "read", path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|source| Error::File { operation: "write", path: path.to_owned(), source })
}

fn start(fresh: bool) -> Result<()> {
    let vm = Vm::at(folder())?;
    let kubeconfig = vm.file("kubeconfig");
    if vm.running()?.is_some() {
        if fresh {
            return Err(unexpected("the device", "it runs; `make stop` ends it first".to_owned()));
        }
        say(&format!("The device runs already.\n  export KUBECONFIG={}", kubeconfig.display()));
        return Ok(());
    }
    let fresh = fresh || !vm.file("disk.qcow2").is_file();
    if fresh {
        flash(&vm)?;
    }
    let forwards = ports::forwards(&[6443, 8080]);
    let port = |guest: u16| forwards.iter().find(|forward| forward.guest == guest).map(|forward| forward.host);
    let (Some(api), Some(web)) = (port(6443), port(8080)) else {
        return Err(unexpected("127.0.0.1", "no port is free near 6443 or 8080".to_owned()));
    };
    let spec = Spec {
        forwards,
        seed: Some("seed.img".into()),
        reaches_out: true,
        ..Spec::new(kind()).disk(&Disk::at("disk.qcow2"))
    };
    scenario("run", |lab| vm.start(&spec, lab.accelerator(spec.machine)?, fresh))?;
    let begun = Instant::now();
    let running = vm.running()?.ok_or_else(|| unexpected("QEMU", "it ended at once".to_owned()))?;
    say(&format!("The device starts; its console is {}", vm.file("console.log").display()));
    wait_healthy(&vm, &running, begun)?;

    let client = Client::new(&kubeconfig)?;
    if kubeconfig.is_file() {
        client.follow_port(api)?;
    } else {
        let token = read(&vm.file("token")).map_err(|_| {
            unexpected(
                "kubeconfig",
                "it is gone, and the token was used: `make run FRESH=1` makes a new device".to_owned(),
            )
        })?;
        client.first_contact(token.trim(), api, STEP_BOUND)?;
        // It was good for one use.
        let _gone = std::fs::remove_file(vm.file("token"));
    }
    say(&format!("{:6.1} s  kubeconfig written", begun.elapsed().as_secs_f64()));
    client.node_ready(NAME, STEP_BOUND).map_err(|error| with_console(&vm, &error))?;
    say(&format!("{:6.1} s  node {NAME} is Ready", begun.elapsed().as_secs_f64()));
    say(&hints(&client, web));
    Ok(())
}

/// A new disk with a new token.
fn flash(vm: &Vm) -> Result<()> {
    for name in ["kubeconfig", "token", "disk.qcow2", "seed.img"] {
        let path = vm.file(name);
        if path.exists() {
            std::fs::remove_file(&path).map_err(|source| Error::File { operation: "remove", path, source })?;
        }
    }
    let token = seed::token()?;
    write(&vm.file("token"), &token)?;
    seed::volume(&vm.file("seed.img"), &seed::user_data(NAME, &token, ""))?;
    // Last: a disk without its token would be of no use.
    Disk::flashed(vm.file("disk.qcow2"), &Image::of(kind()).disk()?, DISK_BYTES).map(|_| ())
}

fn wait_healthy(vm: &Vm, running: &Running, begun: Instant) -> Result<()> {
    let mut console = vm.console(running)?;
    let deadline = begun + healthy::BOOT_BOUND;
    let mut rest = Vec::new();
    loop {
        match console.next(Some(deadline))? {
            Next::Bytes(bytes) => rest.extend(bytes),
            Next::Ended => return Err(with_console(vm, &unexpected("the device", "it ended".to_owned()))),
            Next::Late => {
                return Err(with_console(vm, &unexpected("the device", "it is not healthy in time".to_owned())));
            }
        }
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Some(marker) = Marker::find(&String::from_utf8_lossy(&line)) else { continue };
            if let Some(text) = progress::line(&marker) {
                say(&format!("{:6.1} s  {text}", begun.elapsed().as_secs_f64()));
            }
            match (marker.name(), marker.get("result")) {
                ("gate", Some("passed")) => return Ok(()),
                ("fatal" | "hold", _) | ("gate", _) => {
                    return Err(with_console(vm, &unexpected("the device", "its boot failed".to_owned())));
                }
                _ => {}
            }
        }
    }
}

/// An error with the end of the console behind it.
fn with_console(vm: &Vm, error: &Error) -> Error {
    let text = std::fs::read(vm.file("console.log")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    let last = lines.get(from..).unwrap_or_default().join("\n");
    unexpected(
        "make run",
        format!(
            "{error}\nThe end of the console:\n{last}\nThe machine still runs unless it ended; `make stop` ends it."
        ),
    )
}

fn hints(client: &Client, web: u16) -> String {
    let kubectl = client.program().display();
    let pod = "kubectl create deployment web --image=localhost/hello:1 --replicas=2";
    format!(
        "\nThe device is ready. Try:\n\n  export KUBECONFIG={}\n  alias kubectl={kubectl}\n  {pod}\n  kubectl get pods -o wide\n  kubectl exec -it deployment/web -- sh\n\nA pod with hostPort 8080 answers at http://127.0.0.1:{web}. `make console` follows the console, `make stop` shuts down.",
        client.kubeconfig().display(),
    )
}

fn stop(force: bool) -> Result<()> {
    let vm = Vm::at(folder())?;
    let Some(running) = vm.running()? else {
        say("The device does not run.");
        return Ok(());
    };
    if force {
        running.power_cut(STEP_BOUND)?;
        say("The power is off.");
        return Ok(());
    }
    say("The power button is pressed.");
    if running.power_off(healthy::END_BOUND)? {
        say("The device has shut down in order.");
        return Ok(());
    }
    Err(unexpected("the device", "it has not shut down; `make stop FORCE=1` takes its power away".to_owned()))
}

fn console() -> Result<()> {
    let vm = Vm::at(folder())?;
    let running = vm.running()?.ok_or_else(|| unexpected("the device", "it does not run: `make run`".to_owned()))?;
    let mut console: Tail = vm.console(&running)?;
    loop {
        match console.next(None)? {
            Next::Bytes(bytes) => {
                if std::io::stdout().write_all(&bytes).is_err() {
                    return Ok(());
                }
            }
            Next::Ended | Next::Late => return Ok(()),
        }
    }
}

fn run_smoke() -> Result<()> {
    let begun = Instant::now();
    let tell = |text: &str| say(&format!("{:6.1} s  {text}", begun.elapsed().as_secs_f64()));
    let figures = scenario("smoke", |lab: &Lab| smoke::run(lab, kind(), tell))?;
    figures.iter().for_each(|figure| say(&figure.to_string()));
    let file = folder().join("../figures/guest.txt");
    let lines: String = figures.iter().map(|figure| format!("{figure}\n")).collect();
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).map_err(|source| Error::File {
            operation: "make",
            path: parent.into(),
            source,
        })?;
    }
    write(&file, &lines)
}
