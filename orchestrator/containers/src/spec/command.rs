//! The command line and the environment of a container's first process.

use coracle_apimachinery::Value;
use coracle_client::object;

use super::expand::expand;
use super::image::ImageConfig;

/// Where programs are looked for when nobody says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The command line.
///
/// # Errors
/// Neither the pod nor the image has one.
pub(super) fn args(container: &Value, image: &ImageConfig, env: &[(String, String)]) -> Result<Vec<String>, String> {
    let own = |member| -> Vec<String> {
        let items = object::items(container, &[member]).iter().filter_map(Value::as_str);
        items.map(|text| expand(text, env)).collect()
    };
    let (mut command, mut args) = (own("command"), own("args"));
    if command.is_empty() {
        if args.is_empty() {
            args.clone_from(&image.cmd);
        }
        command.clone_from(&image.entrypoint);
    }
    command.append(&mut args);
    if command.is_empty() { Err("no command specified".to_owned()) } else { Ok(command) }
}

/// The environment: defaults, the image's, the container's, each overriding what stands before it.
pub(super) fn env(
    image: &ImageConfig,
    own: &[(String, String)],
    hostname: &str,
    home: &str,
    tty: bool,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = vec![("PATH".to_owned(), PATH.to_owned())];
    let mut set = |name: &str, value: &str| match all.iter_mut().find(|(known, _)| known == name) {
        Some(slot) => slot.1 = value.to_owned(),
        None => all.push((name.to_owned(), value.to_owned())),
    };
    set("HOSTNAME", hostname);
    if tty {
        set("TERM", "xterm");
    }
    for line in &image.env {
        if let Some((name, value)) = line.split_once('=') {
            set(name, value);
        }
    }
    for (name, value) in own {
        set(name, value);
    }
    if !all.iter().any(|(name, _)| name == "HOME") {
        all.push(("HOME".to_owned(), if home.is_empty() { "/" } else { home }.to_owned()));
    }
    all
}

/// The folder that the process starts in.
pub(super) fn cwd(container: &Value, image: &ImageConfig) -> String {
    let own = container.text_at(&["workingDir"]);
    let folder = if own.is_empty() { image.working_dir.as_str() } else { own };
    if folder.is_empty() { "/" } else { folder }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    #[test]
    fn commands() {
        let image = ImageConfig { entrypoint: vec!["e".into()], cmd: vec!["c".into()], ..ImageConfig::default() };
        let env = [("A".to_owned(), "1".to_owned())];
        for (container, want) in [
            (r#"{}"#, "e c"),
            (r#"{"args":["a$(A)"]}"#, "e a1"),
            (r#"{"command":["x"]}"#, "x"),
            (r#"{"command":["x"],"args":["$$(A)"]}"#, "x $(A)"),
        ] {
            assert_eq!(args(&tree(container), &image, &env).unwrap().join(" "), want, "{container}");
        }
        let failed = args(&tree("{}"), &ImageConfig::default(), &[]);
        assert_eq!(failed, Err("no command specified".to_owned()));
    }

    #[test]
    fn environments() {
        let text = |image: &[&str], own: &[(&str, &str)], home, tty| {
            let image = ImageConfig { env: image.iter().map(ToString::to_string).collect(), ..ImageConfig::default() };
            let own: Vec<_> = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let all = env(&image, &own, "h", home, tty);
            all.into_iter().skip(1).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(&[], &[], "", false), "HOSTNAME=h HOME=/");
        assert_eq!(text(&["A=1", "B=2"], &[("A", "3")], "/root", true), "HOSTNAME=h TERM=xterm A=3 B=2 HOME=/root");
        assert_eq!(text(&["HOME=/i", "broken"], &[("HOSTNAME", "x")], "/r", false), "HOSTNAME=x HOME=/i");
        let image = ImageConfig { env: vec!["PATH=/bin".to_owned()], ..ImageConfig::default() };
        assert_eq!(env(&image, &[], "", "", false)[0].1, "/bin");
    }
}
