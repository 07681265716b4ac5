use shared::{
    column::ColumnKind,
    edit::{AddColumn, ColumnRef},
    ids::RowId,
};

use super::*;

const ACTIONS: [Action; 5] =
    [Action::Read, Action::EditRows, Action::EditStructure, Action::Delete, Action::Share];
const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));

fn caller(scope: Scope) -> Caller {
    Caller {
        user: UserId(Uuid::nil()),
        name: "ann".into(),
        credential: Credential::Session(Uuid::nil()),
        scope: Arc::new(scope),
    }
}

fn allowed(scope: Scope, account: Option<Role>, role: Option<ListRole>) -> Option<[bool; 5]> {
    let rights = caller(scope).rights(account, LIST, role)?;
    Some(ACTIONS.map(|action| rights.check(action).is_ok()))
}

fn set(column: &str) -> Change {
    Change::set(RowId(Uuid::nil()), &column.into(), "1".into())
}

#[test]
fn each_role_may_do_what_it_includes_and_no_more() {
    let user = |role| allowed(Scope::default(), Some(Role::User), role);
    assert_eq!(user(None), None, "the watchlist does not exist");
    assert_eq!(user(Some(ListRole::Viewer)), Some([true, false, false, false, false]));
    assert_eq!(user(Some(ListRole::Editor)), Some([true, true, false, false, false]));
    assert_eq!(user(Some(ListRole::Owner)), Some([true; 5]));
}

#[test]
fn an_admin_may_do_everything_and_a_disabled_account_nothing() {
    for role in [None, Some(ListRole::Viewer), Some(ListRole::Owner)] {
        assert_eq!(allowed(Scope::default(), Some(Role::Admin), role), Some([true; 5]));
        assert_eq!(allowed(Scope::default(), None, role), None);
    }
}

#[test]
fn a_token_has_the_rights_of_its_account_within_its_scope() {
    let lists = |list| Scope { lists: Some([list].into()), ..Scope::default() };
    let other = WatchlistId(Uuid::from_u128(8));
    for account in [Role::User, Role::Admin] {
        let owner = Some(ListRole::Owner);
        assert_eq!(allowed(lists(LIST), Some(account), owner), Some([true; 5]));
        assert_eq!(allowed(lists(other), Some(account), owner), None);
        let ticks_only = Scope { ticks_only: true, ..Scope::default() };
        assert_eq!(allowed(ticks_only, Some(account), owner), None);
        let columns = Scope { columns: Some(["price".into()].into()), ..Scope::default() };
        assert_eq!(allowed(columns, Some(account), owner), Some([true, true, false, false, false]));
    }
    assert_eq!(allowed(lists(LIST), Some(Role::User), None), None, "no more than the account");
}

#[test]
fn a_token_for_columns_sets_their_cells_only() {
    let scope = Scope { columns: Some(["price".into(), "volume".into()].into()), ..Scope::default() };
    let rights = caller(scope).rights(Some(Role::User), LIST, Some(ListRole::Editor)).unwrap();
    let check = |changes: &[Change]| rights.check_edit(changes).map_err(|refused| refused.code);
    assert_eq!(check(&[set("price"), set("volume")]), Ok(()));
    let refused = Err(Code::Forbidden);
    assert_eq!(check(&[set("price"), set("note")]), refused);
    assert_eq!(check(&[set("price"), Change::remove(RowId(Uuid::nil()), None)]), refused);
    assert_eq!(check(&[Change::rename("Other")]), refused);
}

#[test]
fn an_edit_needs_the_role_of_its_most_demanding_change() {
    let column = AddColumn { key: "new".into(), title: "New".into(), kind: ColumnKind::Text, after: None };
    let columns = [
        Change::RemoveColumn(ColumnRef { key: "new".into() }),
        Change::rename("Other"),
        Change::AddColumn(column),
    ];
    let rights = |role| caller(Scope::default()).rights(Some(Role::User), LIST, Some(role)).unwrap();
    let rows = [set("price"), Change::remove(RowId(Uuid::nil()), None)];
    assert!(rights(ListRole::Editor).check_edit(&rows).is_ok());
    assert!(rights(ListRole::Viewer).check_edit(&rows).is_err());
    for structural in columns {
        let edit = [set("price"), structural, set("price")];
        assert!(rights(ListRole::Editor).check_edit(&edit).is_err());
        assert!(rights(ListRole::Owner).check_edit(&edit).is_ok());
    }
}

#[test]
fn only_whole_credentials_create_watchlists_and_only_admins_administer() {
    let narrow = Scope { lists: Some([LIST].into()), ..Scope::default() };
    let (whole, narrow) = (caller(Scope::default()), caller(narrow));
    for (account, may_create, may_administer) in
        [(None, false, false), (Some(Role::User), true, false), (Some(Role::Admin), true, true)]
    {
        assert_eq!(whole.check_create(account).is_ok(), may_create);
        assert_eq!(whole.check_find_people(account).is_ok(), may_create);
        assert_eq!(whole.check_administer(account).is_ok(), may_administer);
        assert!(narrow.check_create(account).is_err() && narrow.check_administer(account).is_err());
        assert!(narrow.check_find_people(account).is_err());
    }
}

#[test]
fn a_refusal_says_what_is_not_allowed() {
    let viewer = caller(Scope::default()).rights(Some(Role::User), LIST, Some(ListRole::Viewer)).unwrap();
    let refused = viewer.check(Action::EditRows).unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    assert!(refused.message.contains("edit this watchlist"), "{refused}");
}
