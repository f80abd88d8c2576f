//! Who lives where in the little internet, and what its DNS says.

use posta_dns::Zone;

/// Somebody with a maildrop.
pub(crate) struct Person {
    pub(crate) address: &'static str,
    pub(crate) name: &'static str,
    /// Also the APOP secret: several programs use APOP without being asked when a server offers it,
    /// and have one password to type. All of it is reachable from this machine only.
    pub(crate) password: &'static str,
}

/// One of the two.
pub(crate) struct Organisation {
    /// Also the name of its folder.
    pub(crate) name: &'static str,
    pub(crate) domain: &'static str,
    /// Other domains whose mail it keeps.
    pub(crate) other_domains: &'static [&'static str],
    /// The name of its host.
    pub(crate) host: &'static str,
    /// What its MTA is called when it opens a connection.
    pub(crate) mta: &'static str,
    pub(crate) people: [Person; 2],
    /// Address and members.
    pub(crate) aliases: &'static [(&'static str, &'static [&'static str])],
    /// Address, full name, owner, members.
    pub(crate) lists: &'static [(&'static str, &'static str, &'static str, &'static [&'static str])],
}

pub(crate) const NORTH: Organisation = Organisation {
    name: "north",
    domain: "north.example",
    other_domains: &[],
    host: "mx.north.example",
    mta: "the MTA of mx.north.example",
    people: [
        Person { address: "alice@north.example", name: "Alice Ångström", password: "north-alice" },
        Person { address: "carol@north.example", name: "Carol Çelik", password: "north-carol" },
    ],
    aliases: &[],
    lists: &[(
        "friends@north.example",
        "Friends, north and south",
        "alice@north.example",
        &["alice@north.example", "carol@north.example", "bob@south.example", "dave@south.example"],
    )],
};

pub(crate) const SOUTH: Organisation = Organisation {
    name: "south",
    domain: "south.example",
    other_domains: &["www.south.example"],
    host: "mx.south.example",
    mta: "the MTA of mx.south.example",
    people: [
        Person { address: "bob@south.example", name: "Bob Núñez", password: "south-bob" },
        Person { address: "dave@south.example", name: "Dave Dvořák", password: "south-dave" },
    ],
    aliases: &[
        ("info@south.example", &["bob@south.example", "dave@south.example"]),
        ("dave@www.south.example", &["dave@south.example"]),
    ],
    lists: &[],
};

/// MX leads to each host by way of its name; www.south.example is only another name (CNAME).
pub(crate) fn zone() -> anyhow::Result<Zone> {
    Ok(Zone::parse(
        "north.example.      60 IN MX    10 mx.north.example.
mx.north.example.   60 IN A     127.0.0.1
south.example.      60 IN MX    10 mx.south.example.
mx.south.example.   60 IN A     127.0.0.1
www.south.example.  60 IN CNAME south.example.
",
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_address::{Domain, Mailbox};
    use posta_dns::{RecordType, ZoneAnswer};

    #[test]
    fn addresses_are_addresses_and_members_exist() {
        for organisation in [NORTH, SOUTH] {
            let mailboxes = organisation.people.iter().map(|person| person.address);
            let lists = organisation.lists.iter().flat_map(|list| [list.0, list.2]);
            let members = organisation.lists.iter().flat_map(|list| list.3).copied();
            for address in
                mailboxes.chain(organisation.aliases.iter().map(|alias| alias.0)).chain(lists).chain(members)
            {
                Mailbox::parse(address).expect(address);
            }
        }
    }

    #[test]
    fn the_dns_knows_both_and_the_other_name() {
        let zone = zone().expect("parses");
        for name in ["north.example", "south.example", "www.south.example"] {
            let answer = zone.look_up(&Domain::parse(name).expect(name), RecordType::Mx);
            assert!(matches!(answer, ZoneAnswer::Found(_)), "{name}: {answer}");
        }
    }
}
