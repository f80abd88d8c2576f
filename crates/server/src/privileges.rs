//! Giving up root, and room for many connections.
//!
//! Linux keeps user and group per thread; what one thread gives up, threads made later inherit, but
//! those that exist keep it. So this is to be done **before the async runtime starts**, while there is
//! one thread: read the configuration, [`bind`](crate::Sockets::bind) the sockets,
//! [`prepare_folder`], [`give_up_root`], then start the runtime and the server.

use crate::config::Config;
use rustix::{
    fs::{AtFlags, CWD, Gid, Mode, Uid},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use std::{io, os::unix::fs::MetadataExt, path::Path};
use thiserror::Error;

/// Why privileges could not be given up.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("there is no user `{0}`")]
    NoSuchUser(String),
    /// There is no such group.
    #[error("there is no group `{0}`")]
    NoSuchGroup(String),
    /// The process has threads already.
    #[error("privileges can only be given up while the process has one thread; it has {0}")]
    Threads(usize),
    /// The operating system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

fn system(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> PrivilegeError {
    move |errno| PrivilegeError::System { what, source: errno.into() }
}

/// Whom to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// User.
    pub user: u32,
    /// Group.
    pub group: u32,
}

impl Identity {
    /// From `user` and `group` of the configuration; `None` where no user is named or the process does
    /// not run as root.
    pub fn wanted(config: &Config) -> Result<Option<Self>, PrivilegeError> {
        let Some(user) = &config.user else { return Ok(None) };
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
        Identity::find(user, config.group.as_deref(), &passwd, &groups).map(Some)
    }

    fn find(user: &str, group: Option<&str>, passwd: &str, groups: &str) -> Result<Self, PrivilegeError> {
        let entry = find_entry(passwd, user);
        let number = |fields: &[&str], index: usize| fields.get(index).and_then(|text| text.parse().ok());
        let uid = match &entry {
            Some(fields) => number(fields, 2),
            None => user.parse().ok(),
        };
        let uid = uid.ok_or_else(|| PrivilegeError::NoSuchUser(user.to_owned()))?;
        let gid = match group {
            Some(group) => match find_entry(groups, group) {
                Some(fields) => number(&fields, 2),
                None => group.parse().ok(),
            }
            .ok_or_else(|| PrivilegeError::NoSuchGroup(group.to_owned()))?,
            None => entry.and_then(|fields| number(&fields, 3)).ok_or_else(|| {
                PrivilegeError::NoSuchGroup(format!("of user {user}; name one with `group`"))
            })?,
        };
        Ok(Identity { user: uid, group: gid })
    }
}

/// The entry of a name in a file like `/etc/passwd`.
fn find_entry<'a>(file: &'a str, name: &str) -> Option<Vec<&'a str>> {
    file.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)
}

/// Makes the folder where everything is kept, for its later owner only. What is in it already becomes
/// the owner's too: root may have made accounts there before the server ever ran.
pub fn prepare_folder(folder: &Path, owner: Option<Identity>) -> Result<(), PrivilegeError> {
    let failed = |what| move |source| PrivilegeError::System { what, source };
    if !folder.is_dir() {
        std::fs::create_dir_all(folder).map_err(failed("making the data folder"))?;
        rustix::fs::chmod(folder, Mode::RWXU).map_err(system("setting the data folder's mode"))?;
    }
    match owner {
        Some(owner) => {
            hand_over(folder, owner, FOLDER_DEPTH).map_err(failed("giving the data folder to its owner"))
        }
        None => Ok(()),
    }
}

/// Folders below the data folder: `volumes`, `journal`.
const FOLDER_DEPTH: u32 = 1;

/// Gives a folder and what is in it to its owner. Links of either kind are left alone: whoever could write here
/// before must not make root give away something else.
fn hand_over(path: &Path, owner: Identity, depth: u32) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
    rustix::fs::chownat(CWD, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if depth > 0 && metadata.is_dir() {
            hand_over(&entry.path(), owner, depth - 1)?;
        } else if metadata.is_dir() || metadata.nlink() == 1 {
            rustix::fs::chownat(CWD, entry.path(), Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(())
}

/// Becomes another user for good.
pub fn give_up_root(identity: Identity) -> Result<(), PrivilegeError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(PrivilegeError::Threads(threads));
    }
    let (user, group) = (Uid::from_raw(identity.user), Gid::from_raw(identity.group));
    // In this order: whoever is no longer root may not change groups.
    rustix::thread::set_thread_groups(&[group]).map_err(system("leaving root's groups"))?;
    rustix::thread::set_thread_res_gid(group, group, group).map_err(system("changing the group"))?;
    rustix::thread::set_thread_res_uid(user, user, user).map_err(system("changing the user"))?;
    Ok(())
}

/// Raises the limit of open files as far as allowed: every connection is one.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "raising the limit of open files");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_folder_is_handed_over_and_links_are_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can give files away");
            return;
        }
        let (data, elsewhere) = (folder.path().join("data"), folder.path().join("elsewhere"));
        std::fs::create_dir_all(data.join("volumes")).expect("made");
        for file in [&data.join("lock"), &data.join("volumes/1.vol"), &elsewhere] {
            std::fs::write(file, "").expect("written");
        }
        std::os::unix::fs::symlink(&elsewhere, data.join("link")).expect("linked");
        prepare_folder(&data, Some(Identity { user: 65534, group: 65534 })).expect("handed over");
        let owner = |path: &Path| path.metadata().expect("there").uid();
        for file in [&data, &data.join("lock"), &data.join("volumes"), &data.join("volumes/1.vol")] {
            assert_eq!(owner(file), 65534, "{}", file.display());
        }
        assert_eq!(owner(&elsewhere), 0);
    }

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nposta:x:990:991::/var/lib/posta:/bin/false\n";
    const GROUPS: &str = "root:x:0:\nposta:x:991:\nmail:x:8:\n";

    #[test]
    fn users_and_groups_by_name_and_number() {
        for (user, group, expected) in [
            ("posta", None, Some((990, 991))),
            ("posta", Some("mail"), Some((990, 8))),
            ("1234", Some("77"), Some((1234, 77))),
            ("1234", None, None),
            ("nobody", Some("mail"), None),
            ("posta", Some("nogroup"), None),
        ] {
            let found = Identity::find(user, group, PASSWD, GROUPS).ok();
            assert_eq!(found.map(|found| (found.user, found.group)), expected, "{user} {group:?}");
        }
    }
}
