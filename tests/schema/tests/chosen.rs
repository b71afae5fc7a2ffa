//! What has to be asked for: views, types and a runtime from elsewhere, editions.

use bytes::Bytes;
use futures_util::{Stream, stream};
use rpc_runtime::codec::{DecodeLimits, Encodes, Protobuf};
use rpc_runtime::protobuf::well_known::Timestamp;
use rpc_runtime::protobuf::{ExtensionSet as _, Message as _, MessageView as _};
use rpc_runtime::{Encoding, Server, Status};
use rpc_schema_tests::borrowed::{Book, Books, BooksClient, BooksServer, book};
use rpc_schema_tests::editions::{Closed, Open, Record, record};
use rpc_schema_tests::schema::shared::v1::{Order, Page};
use rpc_schema_tests::viewed::__buffa::view::oneof::letter::Sender as SenderView;
use rpc_schema_tests::viewed::{
    INNER, LARGE, Letter, LetterOwnedView, LetterView, Oneof, Part, Set, letter, oneof_, part,
};

use crate::messages::{bytes, there_and_back};

fn part(name: &str) -> Part {
    Part {
        name: name.to_owned(),
        line: vec![part::Line {
            text: Some("a line".to_owned()),
            ..part::Line::default()
        }],
        ..Part::default()
    }
}

fn letter() -> Letter {
    Letter {
        subject: "Grüße".to_owned(),
        body: Bytes::from_static(b"\x00\xff"),
        tags: vec!["a".to_owned(), "b".to_owned()],
        parts: [("x".to_owned(), part("in a map"))].into_iter().collect(),
        sender: Some(letter::Sender::Company(Box::new(part("chosen")))),
        at: Timestamp {
            seconds: 7,
            ..Timestamp::default()
        }
        .into(),
        kind: Some(letter::Kind::KIND_PRIVATE.into()),
        reply: Letter {
            subject: "Re".to_owned(),
            ..Letter::default()
        }
        .into(),
        choices: vec![Oneof {
            oneof: Some(oneof_::Oneof::View("seen".to_owned())),
            ..Oneof::default()
        }],
        ..Letter::default()
    }
}

#[test]
fn a_view_reads_messages_where_they_lie() {
    let letter = letter();
    there_and_back(&letter);
    let bytes = bytes(&letter, Encoding::PROTOBUF);
    let view = LetterView::decode_view(&bytes).expect("it was just written");
    assert_eq!(view.subject, "Grüße");
    assert!(
        bytes.as_ptr_range().contains(&view.subject.as_ptr()),
        "it is not copied"
    );
    assert_eq!(view.body, b"\x00\xff");
    assert_eq!(view.tags.iter().copied().collect::<Vec<_>>(), ["a", "b"]);
    let Some(SenderView::Company(company)) = &view.sender else {
        panic!("another sender was written");
    };
    assert_eq!(company.name, "chosen");
    assert_eq!(view.at.seconds, 7);
    assert_eq!(view.reply.subject, "Re");
    assert_eq!(view.to_owned_message(), Ok(letter.clone()));

    let owned = LetterOwnedView::decode(bytes.clone()).expect("it was just written");
    assert_eq!(owned.to_owned_message(), letter);
    assert!(LetterView::decode_view(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn extensions_stand_beside_messages_that_have_views() {
    let mut outer = part("outer");
    outer.set_extension(&INNER, part("inner"));
    let bytes = bytes(&outer, Encoding::PROTOBUF);
    let read = Part::decode_from_slice(&bytes).expect("it was just written");
    assert_eq!(
        read.extension(&INNER).map(|it| it.name),
        Some("inner".to_owned())
    );
}

#[test]
fn extensions_of_a_message_set_have_numbers_beyond_those_of_fields() {
    let mut set = Set::default();
    set.set_extension(&LARGE, part("large"));
    let written = bytes(&set, Encoding::PROTOBUF);
    // An item: the number of its type, as a varint, and the message.
    let begin = [0x0b, 0x10, 0x80, 0xa8, 0xd6, 0xb9, 0x07, 0x1a];
    assert!(written.starts_with(&begin), "{written:?}");
    let read = Set::decode_from_slice(&written).expect("it was just written");
    assert_eq!(read.extension(&LARGE), Some(part("large")));
}

struct Library;

impl Books for Library {
    async fn open(&self, request: Page) -> Result<Book, Status> {
        Ok(Book {
            title: "Dune".to_owned(),
            order: Order::ORDER_NAME.into(),
            place: Some(book::Place::First(Box::new(request))),
            ..Book::default()
        })
    }

    fn leaf(&self, request: Book) -> impl Stream<Item = Result<Page, Status>> {
        stream::iter(request.marks.into_values().map(Ok))
    }
}

#[tokio::test]
async fn types_and_the_runtime_may_be_elsewhere() {
    let bound = Server::new()
        .add(BooksServer::new(Library))
        .listen("mem:books")
        .bind()
        .await
        .expect("the name is free");
    let url = bound.url().to_owned();
    tokio::spawn(bound.serve());
    let books = BooksClient::connect(&url).await.expect("it is served");
    // The type of another module, not one like it.
    let page = Page {
        size: 3,
        ..Page::default()
    };
    let book = books.open(page.clone()).await.expect("it is served");
    assert_eq!(book.place, Some(book::Place::First(Box::new(page.clone()))));
    let marked = Book {
        marks: [("here".to_owned(), page.clone())].into_iter().collect(),
        ..Book::default()
    };
    let mut leaves = books.leaf(marked);
    let leaf = leaves.next().await.expect("there is one");
    assert_eq!(leaf.expect("it is served"), page);
}

#[test]
fn features_of_an_edition_are_kept() {
    let record = Record {
        name: Some(String::new()),
        count: 2,
        id: "3".to_owned(),
        packed: vec![1, 2],
        apart: vec![1, 2],
        inner: Record {
            id: "4".to_owned(),
            ..Record::default()
        }
        .into(),
        closed: Some(Closed::CLOSED_TWO),
        list: vec![Closed::CLOSED_ONE],
        open: Some(Open::OPEN_ONE.into()),
        choice: Some(record::Choice::Text("5".to_owned())),
        ..Record::default()
    };
    there_and_back(&record);
    let written = bytes(&record, Encoding::PROTOBUF);
    // A group, numbers that are packed and numbers that are not.
    for part in [
        &[0x33, 0x1a, 1, b'4', 0x34][..],
        &[0x22, 2, 1, 2],
        &[0x28, 1, 0x28, 2],
    ] {
        assert!(
            written.windows(part.len()).any(|it| it == part),
            "{part:?} in {written:?}"
        );
    }
    let read = |bytes: &'static [u8]| {
        let bytes = Bytes::from_static(bytes);
        <Protobuf as Encodes<Record>>::decode(&bytes, Encoding::PROTOBUF, DecodeLimits::default())
    };
    // What a closed enum does not know is put aside.
    let unknown = read(&[0x1a, 0, 0x38, 9, 0x48, 9]).expect("it is whole");
    assert_eq!(unknown.closed, None);
    assert!(unknown.open.is_some());
    assert_eq!(bytes(&unknown, Encoding::PROTOBUF).len(), 6);
}
