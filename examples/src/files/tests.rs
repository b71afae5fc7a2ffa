//! Both sides together, in process: what is resumed, what is refused, what is left behind.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use rpc_runtime::{Status, Streaming};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;

struct Place {
    _around: TempDir,
    shared: PathBuf,
    mine: PathBuf,
    files: FilesClient,
}

impl Place {
    fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        let shared = around.path().join("shared");
        let mine = around.path().join("mine");
        fs::create_dir_all(shared.join("sub")).unwrap();
        fs::create_dir_all(&mine).unwrap();
        let store = FileStore::new(Folder::open(&shared).unwrap());
        Self {
            _around: around,
            shared,
            mine,
            files: FilesClient::new(FilesServer::new(store)),
        }
    }

    /// What is in the shared folder, hidden files too.
    fn shared_names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.shared).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Waits until the shared folder looks like this.
    async fn wait_until(&self, is_so: impl Fn(&[String]) -> bool) {
        let looked = async {
            while !is_so(&self.shared_names()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(10);
        let in_time = tokio::time::timeout(patience, looked).await;
        assert!(in_time.is_ok(), "there is {:?}", self.shared_names());
    }

    async fn get(&self, name: &str, replace: bool) -> Result<u64, TransferError> {
        let progress = &|_, _| {};
        let options = Options { replace, progress };
        let destination = self.mine.join(name);
        let file = download(&self.files, name, &destination, options).await?;
        Ok(file.size)
    }

    async fn put(&self, parts: Vec<Part>) -> Result<FileInfo, FileError> {
        let parts = stream::iter(parts);
        let uploaded = self.files.upload("new".into(), false, parts).await;
        uploaded.map_err(|error| error.app().cloned().unwrap())
    }
}

/// Bytes of a length that is no multiple of a chunk.
fn content() -> Vec<u8> {
    (0..3 * CHUNK as u32 + 17)
        .map(|it| (it / 7) as u8)
        .collect()
}

fn end_of(bytes: &[u8]) -> Part {
    Part::End {
        sha256: Sha256::digest(bytes).into(),
    }
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let place = Place::new();
    fs::write(place.shared.join("a"), content()).unwrap();
    let destination = place.mine.join("a");
    let begun = CHUNK + 5;
    fs::write(partial_path(&destination), &content()[..begun]).unwrap();

    let first = OnceLock::new();
    let progress = &|done, total| {
        first.get_or_init(|| (done, total));
    };
    let replace = false;
    let options = Options { replace, progress };
    let file = download(&place.files, "a", &destination, options).await;
    assert_eq!(file.unwrap().size, content().len() as u64);
    assert_eq!(first.get(), Some(&(begun as u64, content().len() as u64)));
    assert!(fs::read(&destination).unwrap() == content());
    assert!(!partial_path(&destination).exists());
}

#[tokio::test]
async fn a_partial_file_of_something_else_is_noticed_and_removed() {
    let place = Place::new();
    fs::write(place.shared.join("a"), content()).unwrap();
    let destination = place.mine.join("a");
    fs::write(partial_path(&destination), b"something else").unwrap();
    let error = place.get("a", false).await.unwrap_err();
    assert!(matches!(error, TransferError::HashMismatch), "{error}");
    assert!(!destination.exists());
    assert_eq!(place.get("a", false).await.unwrap(), content().len() as u64);

    fs::write(partial_path(&destination), vec![0; 4 * CHUNK]).unwrap();
    let error = place.get("a", true).await.unwrap_err();
    assert!(error.to_string().contains("has only"), "{error}");
    assert_eq!(place.get("a", true).await.unwrap(), content().len() as u64);
}

#[tokio::test]
async fn nothing_is_left_of_a_download_that_never_began() {
    let place = Place::new();
    let error = place.get("nothing", false).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no file `nothing`");
    assert_eq!(fs::read_dir(&place.mine).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_is_here_is_replaced_only_when_asked_for() {
    let place = Place::new();
    fs::write(place.shared.join("a"), content()).unwrap();
    fs::write(place.mine.join("a"), b"mine").unwrap();
    let error = place.get("a", false).await.unwrap_err();
    assert!(matches!(error, TransferError::Exists { .. }), "{error}");
    assert_eq!(fs::read(place.mine.join("a")).unwrap(), b"mine");
    place.get("a", true).await.unwrap();
    assert!(fs::read(place.mine.join("a")).unwrap() == content());
}

#[tokio::test]
async fn empty_files_travel_both_ways() {
    let place = Place::new();
    let uploaded = place.put(vec![Part::Start { size: 0 }, end_of(b"")]).await;
    assert_eq!(uploaded.unwrap().size, 0);
    assert_eq!(place.get("new", false).await.unwrap(), 0);
}

#[tokio::test]
async fn uploads_that_are_not_whole_never_become_files() {
    let place = Place::new();
    let data = Part::Data(content());
    let wrong = vec![data.clone(), end_of(b"something else")];
    assert_eq!(place.put(wrong).await, Err(FileError::HashMismatch));
    for parts in [
        vec![],
        vec![data.clone()],
        vec![data.clone(), end_of(&content()), data.clone()],
    ] {
        let refused = place.put(parts).await.unwrap_err();
        assert!(matches!(refused, FileError::OutOfOrder { .. }), "{refused}");
    }
    let broken = stream::iter([Ok(data.clone()), Err(Status::aborted("the disk is gone"))]);
    let broken = Streaming::try_from_stream(broken);
    assert!(
        place
            .files
            .upload("new".into(), false, broken)
            .await
            .is_err()
    );
    assert_eq!(place.shared_names(), ["sub"]);

    place.put(vec![data, end_of(&content())]).await.unwrap();
    assert!(fs::read(place.shared.join("new")).unwrap() == content());
}

#[tokio::test]
async fn an_upload_replaces_a_file_only_when_asked_for() {
    let place = Place::new();
    fs::write(place.shared.join("new"), b"old").unwrap();
    let name = "new".to_owned();
    assert_eq!(
        place.put(vec![end_of(b"")]).await,
        Err(FileError::Exists { name })
    );
    assert_eq!(fs::read(place.shared.join("new")).unwrap(), b"old");
    let parts = stream::iter([Part::Data(content()), end_of(&content())]);
    place.files.upload("new".into(), true, parts).await.unwrap();
    assert!(fs::read(place.shared.join("new")).unwrap() == content());
    assert_eq!(place.shared_names(), ["new", "sub"]);
}

#[tokio::test]
async fn files_are_listed_folder_by_folder() {
    let place = Place::new();
    for name in ["b", "a", "sub/c", ".uploading-1"] {
        fs::write(place.shared.join(name), name).unwrap();
    }
    let listed: Vec<FileInfo> = place.files.list().try_collect().await.unwrap();
    let names: Vec<_> = listed.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "sub/c"]);
}

#[tokio::test]
async fn callers_learn_why_a_path_is_refused() {
    let place = Place::new();
    let error = place.get("../a", false).await.unwrap_err();
    let TransferError::Call(error) = error else {
        panic!("the server refuses it, not this side: {error}");
    };
    assert!(matches!(error.app(), Some(FileError::Refused { .. })));
    let parts = stream::iter([end_of(b"")]);
    let planted = place.files.upload("../a".into(), true, parts).await;
    let error = planted.unwrap_err();
    assert!(matches!(error.app(), Some(FileError::Refused { .. })));
}

#[tokio::test]
async fn an_upload_whose_caller_goes_away_leaves_nothing() {
    let place = Place::new();
    let store = FileStore::new(Folder::open(&place.shared).unwrap());
    let server = rpc_runtime::Server::new().add(FilesServer::new(store));
    let server = server.listen("mem:files-gone").bind().await.unwrap();
    let serving = tokio::spawn(server.serve());
    let files = FilesClient::connect("mem:files-gone").await.unwrap();

    let endless = stream::iter([Part::Data(content())]).chain(stream::pending());
    let upload = files.upload("new".into(), false, endless).start();
    place.wait_until(|names| names.len() == 2).await;
    drop((upload, files));
    place.wait_until(|names| names == ["sub"]).await;
    serving.abort();
}
