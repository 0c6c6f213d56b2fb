//! Whom a container's first process runs as.

use coracle_apimachinery::Value;
use coracle_client::object;

use super::security::{described, effective};

/// The files of a root that know users and groups; empty where there are none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Accounts<'a> {
    /// `/etc/passwd`.
    pub passwd: &'a str,
    /// `/etc/group`.
    pub group: &'a str,
}

/// Whom a process runs as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Other groups, sorted.
    pub groups: Vec<u32>,
    /// Its home; empty where the files know none.
    pub home: String,
}

/// A line of `/etc/passwd`.
#[derive(Debug)]
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// Whom a container runs as: what the pod says, or the image's user, as the root's files know them.
///
/// # Errors
/// The user may not be root and is, or the image names one that the root does not know; the texts are the kubelet's.
pub fn resolve(pod: &Value, container: &Value, image_user: &str, files: Accounts<'_>) -> Result<Identity, String> {
    let number = |name| effective(pod, container, name).and_then(Value::as_int);
    let own = number("runAsUser");
    // The kubelet hands on the user of the image without its group.
    let image_user = image_user.split(':').next().unwrap_or_default();
    let image_uid = if image_user.is_empty() { Some(0) } else { image_user.parse::<i64>().ok() };
    if effective(pod, container, "runAsNonRoot").and_then(Value::as_bool) == Some(true) {
        check_not_root(pod, container, own, image_uid, image_user)?;
    }
    let account = match own.or(image_uid) {
        Some(uid) => {
            let uid = id(uid)?;
            accounts(files.passwd).find(|account| account.uid == uid).ok_or(uid)
        }
        None => Ok(accounts(files.passwd)
            .find(|account| account.name == image_user)
            .ok_or_else(|| format!("unable to find user {image_user}: no matching entries in passwd file"))?),
    };
    let (uid, primary, name, home) = match account {
        Ok(account) => (account.uid, account.gid, account.name, account.home),
        Err(uid) => (uid, 0, "", ""),
    };
    let gid = number("runAsGroup").map(id).transpose()?.unwrap_or(primary);
    let mut groups = Vec::new();
    let security = pod.at(&["spec", "securityContext"]);
    if security.is_none_or(|security| security.text_at(&["supplementalGroupsPolicy"]) != "Strict") && !name.is_empty() {
        groups.extend(groups_of(files.group, name));
    }
    let more = object::items(pod, &["spec", "securityContext", "supplementalGroups"]).iter().filter_map(Value::as_int);
    let fs_group = security.and_then(|security| security.at(&["fsGroup"])).and_then(Value::as_int);
    for group in more.chain(fs_group) {
        groups.push(id(group)?);
    }
    groups.push(gid);
    groups.sort_unstable();
    groups.dedup();
    Ok(Identity { uid, gid, groups, home: home.to_owned() })
}

fn check_not_root(
    pod: &Value,
    container: &Value,
    own: Option<i64>,
    image_uid: Option<i64>,
    image_user: &str,
) -> Result<(), String> {
    let place = format!("(pod: {:?}, container: {})", described(pod), container.text_at(&["name"]));
    match (own, image_uid) {
        (Some(0), _) => Err(format!("container's runAsUser breaks non-root policy {place}")),
        (Some(_), _) => Ok(()),
        (None, Some(0)) => Err(format!("container has runAsNonRoot and image will run as root {place}")),
        (None, Some(_)) => Ok(()),
        (None, None) => Err(format!(
            "container has runAsNonRoot and image has non-numeric user ({image_user}), cannot verify user is non-root {place}"
        )),
    }
}

fn id(number: i64) -> Result<u32, String> {
    let id = u32::try_from(number).ok().filter(|id| *id <= i32::MAX.unsigned_abs());
    id.ok_or_else(|| format!("{number} is no id of a user or group"))
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Account { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
    })
}

/// The groups that name an account as a member.
fn groups_of<'a>(group: &'a str, name: &'a str) -> impl Iterator<Item = u32> + 'a {
    group.lines().filter_map(move |line| {
        let mut fields = line.trim().split(':');
        let gid = fields.nth(2)?.parse().ok()?;
        fields.next()?.split(',').any(|member| member == name).then_some(gid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    const FILES: Accounts<'static> = Accounts {
        passwd: "root:x:0:0:root:/root:/bin/sh\n#x\nbroken\nweb:x:33:34:Web:/var/www:/bin/false\n",
        group: "root:x:0:\nweb:x:34:\nextra:x:50:other,web\nroots:x:10:root\n",
    };

    fn said(spec: &str, container: &str, user: &str) -> String {
        let pod = tree(&format!(r#"{{"metadata":{{"name":"p","namespace":"n","uid":"u"}},"spec":{spec}}}"#));
        match resolve(&pod, &tree(container), user, FILES) {
            Ok(identity) => {
                format!("{} {} {:?} {}", identity.uid, identity.gid, identity.groups, identity.home)
            }
            Err(error) => error,
        }
    }

    #[test]
    fn users() {
        let of_pod = |security: &str| format!(r#"{{"securityContext":{security}}}"#);
        let cases = [
            ("{}", "{}", "", "0 0 [0, 10] /root"),
            ("{}", "{}", "web", "33 34 [34, 50] /var/www"),
            ("{}", "{}", "33", "33 34 [34, 50] /var/www"),
            ("{}", "{}", "33:7", "33 34 [34, 50] /var/www"),
            ("{}", "{}", "1000", "1000 0 [0] "),
            ("{}", "{}", "nobody", "unable to find user nobody: no matching entries in passwd file"),
            (&of_pod(r#"{"runAsUser":5}"#), "{}", "web", "5 0 [0] "),
            (
                &of_pod(r#"{"runAsUser":5,"runAsGroup":6,"fsGroup":9,"supplementalGroups":[8]}"#),
                r#"{"securityContext":{"runAsUser":33}}"#,
                "",
                "33 6 [6, 8, 9, 50] /var/www",
            ),
            (&of_pod(r#"{"supplementalGroupsPolicy":"Strict"}"#), "{}", "web", "33 34 [34] /var/www"),
            (&of_pod(r#"{"runAsUser":-1}"#), "{}", "", "-1 is no id of a user or group"),
        ];
        for (spec, container, user, want) in cases {
            assert_eq!(said(spec, container, user), want, "{spec} {container} {user}");
        }
    }

    #[test]
    fn nobody_is_root_who_must_not_be() {
        let spec = r#"{"securityContext":{"runAsNonRoot":true}}"#;
        let place = r#"(pod: "p_n(u)", container: c)"#;
        let cases = [
            (r#"{"name":"c"}"#, "", format!("container has runAsNonRoot and image will run as root {place}")),
            (
                r#"{"name":"c"}"#,
                "web",
                format!(
                    "container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root {place}"
                ),
            ),
            (
                r#"{"name":"c","securityContext":{"runAsUser":0}}"#,
                "5",
                format!("container's runAsUser breaks non-root policy {place}"),
            ),
            (r#"{"name":"c"}"#, "5", "5 0 [0] ".to_owned()),
            (r#"{"name":"c","securityContext":{"runAsNonRoot":false}}"#, "", "0 0 [0, 10] /root".to_owned()),
        ];
        for (container, user, want) in cases {
            assert_eq!(said(spec, container, user), want, "{container} {user}");
        }
    }
}
