//! Who has access to a file, by its security descriptor in text form
//! (<https://learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format>). Pure.

/// Besides the user: the system, its administrators, and the owner or creator of the file. On Unix, root has access,
/// too.
const PRIVILEGED: [&str; 6] = ["SY", "BA", "OW", "CO", "S-1-3-4", "S-1-3-0"];

/// The owner of files on a disk without access lists: everybody.
const NOBODYS: [&str; 2] = ["WD", "S-1-1-0"];

/// The descriptor of a new file: the user, the system and its administrators have access, and nobody inherits more.
/// What is created in a folder gets the same access.
pub(super) fn private(user: &str) -> String {
    format!("D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")
}

/// The accounts besides the user and the [`PRIVILEGED`] that have any access. `user` as [`owner`] returns it.
pub(super) fn others<'a>(descriptor: &'a str, user: &str) -> Vec<&'a str> {
    let Some((_, list)) = descriptor.split_once("D:") else { return vec!["everybody"] };
    if list.starts_with("NO_ACCESS_CONTROL") {
        return vec!["everybody"];
    }
    // The entries of the auditing list, which may follow, are of other kinds.
    let mut others: Vec<&str> = list.split('(').skip(1).filter_map(allowed).collect();
    others.retain(|account| *account != user && !PRIVILEGED.contains(account));
    others.dedup();
    others
}

/// The account in an entry that gives access to the file itself, not only to what is created in a folder.
fn allowed(entry: &str) -> Option<&str> {
    // An entry with a condition has parentheses of its own, after the account.
    let mut parts = entry.split_once(')').map_or(entry, |(entry, _)| entry).split(';');
    let (kind, flags, rights) = (parts.next()?, parts.next()?, parts.next()?);
    let is_of_this_file = !flags.as_bytes().chunks(2).any(|flag| flag == b"IO");
    let account = parts.nth(2)?;
    (matches!(kind, "A" | "XA" | "OA") && is_of_this_file && !rights.is_empty()).then_some(account)
}

/// The owner's account.
pub(super) fn owner(descriptor: &str) -> Option<&str> {
    let (_, owner) = descriptor.split_once("O:")?;
    // The group or the list follows, each with a letter and a colon.
    Some(owner.split_once(':').map_or(owner, |(owner, _)| owner.get(..owner.len() - 1).unwrap_or_default()))
}

/// Whether the file belongs to another user. The system's files count as the user's own.
pub(super) fn is_anothers(descriptor: &str, user: &str) -> bool {
    owner(descriptor)
        .is_some_and(|owner| owner != user && !PRIVILEGED.contains(&owner) && !NOBODYS.contains(&owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "S-1-5-21-1-2-3-1001";

    #[test]
    fn a_new_file_is_private() {
        let made = format!("O:{ME}{}", private(ME));
        assert!(others(&made, ME).is_empty());
        assert_eq!(owner(&made), Some(ME));
        assert!(!is_anothers(&made, ME) && is_anothers(&made, "S-1-5-21-1-2-3-1002"));
    }

    #[test]
    fn a_home_folder_is_private_and_a_folder_on_the_disk_is_not() {
        let home = format!("O:{ME}G:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{ME})");
        assert!(others(&home, ME).is_empty());
        let disk = "O:BAG:SYD:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)\
                    (A;OICIIOID;SDGXGWGR;;;WD)S:(AU;SAFA;FA;;;AN)";
        assert_eq!(others(disk, ME), ["BU", "AU"]);
        assert!(!is_anothers(disk, ME));
    }

    #[test]
    fn access_under_a_condition_counts_and_auditing_does_not() {
        let descriptor = "O:LAD:(XA;;FR;;;BU;(@User.Title == \"Clerk\" && (Member_of {SID(BG)})))\
                          S:(AU;SAFA;FA;;;WD)(XU;SA;FA;;;AN;(@User.Title == \"Clerk\"))(RA;;;;;WD;(\"a\",TS,0,\"b\"))";
        assert_eq!(others(descriptor, "LA"), ["BU"]);
    }

    #[test]
    fn a_disk_without_access_lists_is_open_and_nobodys() {
        for descriptor in ["O:WDG:WDD:NO_ACCESS_CONTROL", "O:WDG:WD"] {
            assert_eq!(others(descriptor, ME), ["everybody"]);
            assert!(!is_anothers(descriptor, ME));
        }
        // An empty list lets nobody in, and a refusal gives no access.
        assert!(others("O:LAD:P", "LA").is_empty() && others("O:LAD:(D;;FA;;;BU)", "LA").is_empty());
    }
}
