//! `make run`, `make stop`, `make console`, `make smoke`: the built image in a virtual machine, as its users have it.

use coracle_contract::marker::Marker;
use qemu_tests::client::Client;
use qemu_tests::command_line::{Forward, Spec};
use qemu_tests::disk::Disk;
use qemu_tests::image::Image;
use qemu_tests::lab::DISK_BYTES;
use qemu_tests::machine::{self, Architecture, Machine};
use qemu_tests::node::{NAME, STEP_BOUND};
use qemu_tests::smoke::Figure;
use qemu_tests::tail::{Next, Tail};
use qemu_tests::vm::{Running, Vm};
use qemu_tests::{Error, Lab, Result, healthy, kubectl, measure, ports, private, progress, scenario, seed, smoke};
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
        ["console"] => console(false),
        ["console", "--new"] => console(true),
        ["smoke"] => used("smoke", |lab, client, tell| smoke::run(lab, kind(), client, tell)).map(|_| ()),
        ["figures"] => run_figures(),
        _ => {
            eprintln!("run: start [--fresh] | stop [--force] | console [--new] | smoke | figures");
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

fn start(fresh: bool) -> Result<()> {
    let vm = Vm::at(folder())?;
    let _alone = vm.hold(|| say("Another `make run` is at work; waiting for it."))?;
    let kubeconfig = vm.file("kubeconfig");
    let begun = Instant::now();
    let running = match vm.running()? {
        Some(_) if fresh => {
            return Err(unexpected("the device", "it runs; `make stop` ends it first".to_owned()));
        }
        Some(_) if kubeconfig.is_file() => {
            say("The device runs already.");
            let client = Client::with(kubectl(&vm)?, &kubeconfig)?;
            say(&hints(&client, port(&forwards(&vm)?, 8080)?));
            return Ok(());
        }
        Some(running) => {
            say("The device runs already; its kubeconfig is still to come.");
            running
        }
        None => switch_on(&vm, fresh)?,
    };
    let console = vm.console(&running)?;
    // QEMU listens to one at a time, and `make stop` must not have to wait.
    drop(running);
    wait_healthy(&vm, console, begun)?;

    let forwards = forwards(&vm)?;
    let client = Client::with(kubectl(&vm)?, &kubeconfig)?;
    first_contact(&vm, &client, port(&forwards, 6443)?).map_err(|error| with_console(&vm, &error))?;
    say(&format!("{:6.1} s  kubeconfig written", begun.elapsed().as_secs_f64()));
    say(&format!("          waiting at most {} s until node {NAME} is Ready", STEP_BOUND.as_secs()));
    client.node_ready(NAME, STEP_BOUND).map_err(|error| with_console(&vm, &error))?;
    say(&format!("{:6.1} s  node {NAME} is Ready", begun.elapsed().as_secs_f64()));
    say(&hints(&client, port(&forwards, 8080)?));
    Ok(())
}

/// Starts the machine, on a new disk if there is none or a fresh one is wanted.
fn switch_on(vm: &Vm, fresh: bool) -> Result<Running> {
    let fresh = fresh || !vm.file("disk.qcow2").is_file();
    if fresh {
        flash(vm)?;
    } else if bytes(&vm.file("slot.footer"))? != bytes(&Image::of(kind()).file("slot.footer")?)? {
        say("The disk has another build of the system than target/images; `make run FRESH=1` takes the present one.");
    }
    let earlier = private::read(&vm.file("ports"))?.and_then(|text| ports::read(&text)).unwrap_or_default();
    let forwards = ports::forwards_like(&earlier, &[6443, 8080], ports::is_free);
    private::replace(&vm.file("ports"), &ports::record(&forwards))?;
    let spec = Spec {
        forwards,
        seed: Some("seed.img".into()),
        reaches_out: true,
        ..Spec::new(kind()).disk(&Disk::at("disk.qcow2"))
    };
    scenario("run", |lab| {
        let accelerator = lab.accelerator(spec.machine)?;
        say(&format!("The device starts under {accelerator}; its console is {}", vm.file("console.log").display()));
        vm.start(&spec, accelerator, fresh)
    })?;
    vm.running()?.ok_or_else(|| unexpected("QEMU", "it ended at once".to_owned()))
}

/// The ports that were chosen for the machine.
fn forwards(vm: &Vm) -> Result<Vec<Forward>> {
    let record = private::read(&vm.file("ports"))?.and_then(|text| ports::read(&text));
    record.ok_or_else(|| unexpected("ports", "the record of the chosen ports is gone or damaged".to_owned()))
}

fn port(forwards: &[Forward], guest: u16) -> Result<u16> {
    let found = forwards.iter().find(|forward| forward.guest == guest).map(|forward| forward.host);
    found.ok_or_else(|| unexpected("127.0.0.1", format!("no port is free near {guest}")))
}

/// The kubectl that `CORACLE_KUBECTL` names, else the one that fits, linked into the machine's folder.
fn kubectl(vm: &Vm) -> Result<PathBuf> {
    match std::env::var_os("CORACLE_KUBECTL") {
        Some(named) => Ok(named.into()),
        None => kubectl::provide(&vm.file("bin"), say),
    }
}

fn first_contact(vm: &Vm, client: &Client, port: u16) -> Result<()> {
    if client.kubeconfig().is_file() {
        return client.follow_port(port);
    }
    let gone = "it is gone, and the token was used: `make run FRESH=1` makes a new device";
    let token = private::read(&vm.file("token"))?.ok_or_else(|| unexpected("kubeconfig", gone.to_owned()))?;
    client.first_contact(token.trim(), port, STEP_BOUND)?;
    // It was good for one use.
    private::remove(&vm.file("token"))
}

/// A new disk with a new token.
fn flash(vm: &Vm) -> Result<()> {
    for name in ["disk.qcow2", "kubeconfig", "token", "seed.img", "ports"] {
        private::remove(&vm.file(name))?;
    }
    let (image, token, new) = (Image::of(kind()), seed::token()?, vm.file("disk.new"));
    private::replace(&vm.file("token"), &token)?;
    seed::volume(&vm.file("seed.img"), &seed::user_data(NAME, &token, ""))?;
    let footer = image.file("slot.footer")?;
    std::fs::copy(&footer, vm.file("slot.footer")).map_err(failed("copy", &footer))?;
    private::remove(&new)?;
    // A copy and no overlay: the next build replaces the image, and this disk stays.
    Disk::copied(&new, &image.disk()?, DISK_BYTES)?;
    // Last: a disk without its token, or half a disk, would be of no use.
    std::fs::rename(&new, vm.file("disk.qcow2")).map_err(failed("name", &new))
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { operation, path, source }
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(failed("read", path))
}

fn wait_healthy(vm: &Vm, mut console: Tail, begun: Instant) -> Result<()> {
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
    let bin = client.program().parent().unwrap_or_else(|| Path::new(".")).display();
    let pod = r#"{"spec":{"containers":[{"name":"page","image":"localhost/hello:1","ports":[{"containerPort":8080,"hostPort":8080}]}]}}"#;
    format!(
        "
The device is ready. Try:

  export KUBECONFIG='{kubeconfig}' PATH='{bin}':\"$PATH\"
  kubectl create deployment hello --image=localhost/hello:1
  kubectl run page --image=localhost/hello:1 --overrides='{pod}'
  kubectl exec deployment/hello -- uname -a

The page of the second is at http://127.0.0.1:{web}. `make console` follows the console, `make stop` shuts down.",
        kubeconfig = client.kubeconfig().display(),
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

fn console(only_new: bool) -> Result<()> {
    let vm = Vm::at(folder())?;
    let running = vm.running()?.ok_or_else(|| unexpected("the device", "it does not run: `make run`".to_owned()))?;
    let mut console: Tail = vm.console(&running)?;
    // As above.
    drop(running);
    if only_new {
        console.skip()?;
    }
    while let Next::Bytes(bytes) = console.next(None)? {
        if std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush()).is_err() {
            // Whoever looked on has gone.
            break;
        }
    }
    Ok(())
}

/// Uses a fresh device in one of the ways of the library, and prints the figures.
fn used(name: &str, way: impl Fn(&Lab, Client, &dyn Fn(&str)) -> Result<Vec<Figure>>) -> Result<Vec<Figure>> {
    let begun = Instant::now();
    let tell = |text: &str| say(&format!("{:6.1} s  {text}", begun.elapsed().as_secs_f64()));
    let kubectl = kubectl(&Vm::at(folder())?)?;
    let figures = scenario(name, |lab| way(lab, Client::with(kubectl.clone(), lab.path("kubeconfig"))?, &tell))?;
    figures.iter().for_each(|figure| say(&figure.to_string()));
    Ok(figures)
}

/// Measures a booted device and leaves the figures where `make figures` reads them.
fn run_figures() -> Result<()> {
    let figures = used("figures", |lab, client, tell| measure::run(lab, kind(), client, tell))?;
    let file = folder().join("../figures/guest.txt");
    let lines: String = figures.iter().map(|figure| format!("{figure}\n")).collect();
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).map_err(failed("make", parent))?;
    }
    std::fs::write(&file, &lines).map_err(failed("write", &file))
}
