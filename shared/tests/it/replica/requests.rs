//! Requests to create, delete, restore and list watchlists and to read their history.

use shared::{
    ids::{EditId, RequestId, Revision, WatchlistId},
    limits::Limits,
    replica::{Event, Replica},
    time::Timestamp,
    wire::{
        client::{self, ClientMessage, WatchlistRequest},
        server::{self, Created, DeletedSummary, Done, ErrorCode, ServerMessage},
    },
};
use uuid::Uuid;

use super::{CLIENT, LIST, ROW, error, outgoing, replica, shown_price};

const OTHER: WatchlistId = WatchlistId(Uuid::from_u128(8));

fn query() -> client::History {
    client::History {
        request: RequestId(99),
        watchlist: LIST,
        row: Some(ROW),
        column: None,
        before: None,
        limit: Some(50),
        user: None,
    }
}

/// Sends every kind of request. Returns their numbers.
fn request_all(replica: &mut Replica) -> Vec<Option<RequestId>> {
    vec![
        replica.create(OTHER, "New", None),
        replica.delete(LIST),
        replica.restore(OTHER),
        replica.deleted_lists(),
        replica.history(query()),
    ]
}

#[test]
fn requests_are_numbered_and_sent_in_order() {
    let mut replica = replica(Vec::new());
    outgoing(&mut replica);
    let numbers: Vec<Option<RequestId>> = (1..=5).map(|number| Some(RequestId(number))).collect();
    assert_eq!(request_all(&mut replica), numbers);
    let request = RequestId;
    assert_eq!(
        outgoing(&mut replica),
        [
            ClientMessage::Create(client::Create {
                request: request(1),
                watchlist: Some(OTHER),
                name: "New".into(),
                columns: None
            }),
            ClientMessage::Delete(WatchlistRequest { request: request(2), watchlist: LIST }),
            ClientMessage::Restore(WatchlistRequest { request: request(3), watchlist: OTHER }),
            ClientMessage::DeletedLists(client::DeletedLists { request: request(4) }),
            ClientMessage::History(client::History { request: request(5), ..query() }),
        ]
    );
}

#[test]
fn nothing_is_requested_without_a_connection() {
    let mut replica = Replica::new(CLIENT, "test", Limits::default(), EditId(1), Vec::new());
    assert_eq!(request_all(&mut replica), [None; 5]);
    replica.connected();
    outgoing(&mut replica);
    assert_eq!(request_all(&mut replica), [None; 5], "the server has not welcomed the client yet");
    assert!(outgoing(&mut replica).is_empty());
}

#[test]
fn each_answer_is_reported_once_with_what_was_requested() {
    let mut replica = replica(Vec::new());
    request_all(&mut replica);
    let list = vec![DeletedSummary {
        watchlist: OTHER,
        name: "Old".into(),
        deleted_at: Timestamp::default(),
        by: None,
        rows: 3,
    }];
    let request = RequestId;
    let history = server::History { request: request(5), commits: Vec::new(), next: Some(Revision(7)) };
    let answers = [
        ServerMessage::Created(Created { request: request(1), watchlist: OTHER }),
        ServerMessage::Deleted(Done { request: request(2) }),
        ServerMessage::Restored(Done { request: request(3) }),
        ServerMessage::DeletedLists(server::DeletedLists { request: request(4), list: list.clone() }),
        ServerMessage::History(history),
    ];
    answers.into_iter().for_each(|answer| replica.handle(answer, 0));
    let events = [
        Event::Created { request: request(1), watchlist: OTHER },
        Event::Deleted { request: request(2), watchlist: LIST },
        Event::Restored { request: request(3), watchlist: OTHER },
        Event::DeletedLists { request: request(4), list },
        Event::History { request: request(5), commits: Vec::new(), next: Some(Revision(7)) },
    ];
    assert_eq!(replica.take_events(), events);
    replica.handle(ServerMessage::Deleted(Done { request: request(2) }), 0);
    assert!(replica.take_events().is_empty());
    replica.disconnected();
    assert!(replica.take_events().is_empty(), "every request is answered");
}

#[test]
fn requests_that_fail_are_reported() {
    let failures = |code: ErrorCode, message: &str| {
        let failed = |request, watchlist| Event::RequestFailed {
            request: RequestId(request),
            code,
            message: message.into(),
            watchlist,
        };
        let history = Event::HistoryFailed { request: RequestId(5) };
        [failed(1, None), failed(2, Some(LIST)), failed(3, Some(OTHER)), failed(4, None), history]
    };
    let mut rejected = replica(Vec::new());
    request_all(&mut rejected);
    (1..=5).for_each(|number| {
        rejected.handle(error(ErrorCode::Forbidden, Some(RequestId(number)), None), 0);
    });
    assert_eq!(rejected.take_events(), failures(ErrorCode::Forbidden, "no"));
    rejected.handle(error(ErrorCode::Forbidden, Some(RequestId(5)), None), 0);
    let unknown = Event::ServerError { code: ErrorCode::Forbidden, message: "no".into(), watchlist: None };
    assert_eq!(rejected.take_events(), [unknown], "the request is answered already");

    let mut lost = replica(Vec::new());
    request_all(&mut lost);
    lost.disconnected();
    let message = "connection lost before the server responded";
    assert_eq!(lost.take_events(), failures(ErrorCode::Unavailable, message));
    assert_eq!(shown_price(&lost), shared::value::Literal::Empty, "the watchlist is still shown");
}
