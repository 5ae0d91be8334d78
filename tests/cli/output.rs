//! Where answers are put: whole or not at all, and nothing else is harmed.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use s3_replication_remediator::cli::output::{can_be_put, put};

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("output").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_pipe_or_device_is_written_to_and_not_replaced() {
    let folder = folder("pipe");
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    put("report\n", Some(&pipe)).unwrap();
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(reader.join().unwrap(), "report\n");
    assert_eq!(names(&folder), ["pipe"]);
}

#[test]
fn a_link_stays_one_and_a_file_keeps_who_may_read_it() {
    let folder = folder("link");
    let (file, link) = (folder.join("file"), folder.join("link"));
    fs::write(&file, "before").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    put("after\n", Some(&link)).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), "after\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(&folder), ["file", "link"]);
}

#[test]
fn what_lies_in_wait_under_the_name_of_the_unfinished_file_is_not_written_to() {
    let folder = folder("trap");
    let victim = folder.join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink("victim", folder.join("report.partial")).unwrap();
    put("report\n", Some(&folder.join("report"))).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(names(&folder), ["report", "victim"]);
}

#[test]
fn a_place_where_nothing_can_be_put_is_told_with_its_name_and_leaves_nothing_behind() {
    let folder = folder("nowhere");
    for place in [folder.join("no/such/folder"), folder.clone()] {
        let name = format!(
            "`{}` cannot be written; name a place that this user may write to",
            place.display()
        );
        assert_eq!(can_be_put(Some(&place)).unwrap_err().to_string(), name);
        assert_eq!(put("report\n", Some(&place)).unwrap_err().to_string(), name);
    }
    let place = folder.join("report");
    assert!(can_be_put(Some(&place)).is_ok());
    assert!(can_be_put(None).is_ok());
    assert!(names(&folder).is_empty(), "asking leaves nothing behind");
}
