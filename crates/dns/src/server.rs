//! Serves zones over UDP and TCP, for tests and the demo: whoever asks sees real DNS messages.

use crate::{Fault, RecordType, Zone, ZoneAnswer, ZoneData, ZoneRecord};
use async_trait::async_trait;
use hickory_proto::{
    op::{Edns, Header, HeaderCounts, MessageType, Metadata, OpCode, ResponseCode},
    rr::{
        DNSClass, Name, RData, Record, RecordType as WireType,
        rdata::{A, AAAA, CNAME, MX, PTR, SOA, SRV, TXT},
    },
};
use hickory_server::{
    Server,
    net::runtime::Time,
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use posta_address::Domain;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::net::{TcpListener, UdpSocket};

/// A TCP connection that asks nothing for this long is closed.
const TCP_IDLE_MAX: Duration = Duration::from_secs(10);
/// Responses that may wait for a slow TCP client.
const TCP_RESPONSES_MAX: usize = 32;
/// Payload over UDP that we send to clients with EDNS (RFC 6891 §6.2.5).
const UDP_PAYLOAD_OCTETS_MAX: u16 = 1232;
/// TTL of negative answers (RFC 2308 §5), in seconds.
const NEGATIVE_TTL_SECS: u32 = 60;
/// How often free ports are looked for: the TCP port must be free where the UDP port is.
const BIND_ATTEMPTS: usize = 16;

/// A question that was answered, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsExchange {
    /// Who asked.
    pub client: SocketAddr,
    /// `MX south.example`
    pub question: String,
    /// `10 mx.south.example`
    pub answer: String,
}

/// Sees each question with its answer. Must not block.
pub type ZoneObserver = Arc<dyn Fn(DnsExchange) + Send + Sync>;

/// A name server that knows only its zone.
pub struct ZoneServer {
    address: SocketAddr,
    zone: Arc<RwLock<Zone>>,
    server: Server<Answerer>,
}

impl ZoneServer {
    /// Begins to serve on `address` (port 0: any free one), over UDP and TCP.
    pub async fn start(address: SocketAddr, zone: Zone, observer: Option<ZoneObserver>) -> io::Result<Self> {
        let (udp, tcp) = bind(address).await?;
        let address = udp.local_addr()?;
        let zone = Arc::new(RwLock::new(zone));
        let mut server = Server::new(Answerer { zone: zone.clone(), observer });
        server.register_socket(udp);
        server.register_listener(tcp, TCP_IDLE_MAX, TCP_RESPONSES_MAX);
        Ok(ZoneServer { address, zone, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts another zone in place. Who asked before may keep old answers for their TTL.
    pub fn replace(&self, zone: Zone) {
        *self.zone.write().unwrap_or_else(PoisonError::into_inner) = zone;
    }

    /// Stops serving. (Dropping the server does so too.)
    pub async fn stop(mut self) {
        if let Err(error) = self.server.shutdown_gracefully().await {
            tracing::debug!(%error, "stopping the zone server");
        }
    }
}

async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempt = 1;
    loop {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error)
                if address.port() == 0
                    && attempt < BIND_ATTEMPTS
                    && error.kind() == io::ErrorKind::AddrInUse =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

struct Answerer {
    zone: Arc<RwLock<Zone>>,
    observer: Option<ZoneObserver>,
}

impl Answerer {
    fn answer(&self, name: &Name, wire_type: WireType, client: SocketAddr) -> ZoneAnswer {
        let text = name.to_ascii();
        let text = text.strip_suffix('.').unwrap_or(&text);
        let answer = match (Domain::parse(text), record_type(wire_type)) {
            (Err(_), _) => ZoneAnswer::NoSuchName(Vec::new()),
            // Other types: ask for any we have, to know whether the name exists.
            (Ok(domain), None) => match self.look_up(&domain, RecordType::A) {
                ZoneAnswer::Found(_) => ZoneAnswer::NoRecord(Vec::new()),
                answer => answer,
            },
            (Ok(domain), Some(record_type)) => self.look_up(&domain, record_type),
        };
        if let Some(observer) = &self.observer {
            let question = format!("{wire_type} {text}");
            observer(DnsExchange { client, question, answer: answer.to_string() });
        }
        answer
    }

    fn look_up(&self, name: &Domain, record_type: RecordType) -> ZoneAnswer {
        self.zone.read().unwrap_or_else(PoisonError::into_inner).look_up(name, record_type)
    }
}

#[async_trait]
impl RequestHandler for Answerer {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response_handle: R,
    ) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = true;
        // Clients ask us as they would ask a recursive server.
        metadata.recursion_available = true;
        let (mut answers, mut soa) = (Vec::new(), None);
        match (request.metadata.op_code, request.request_info()) {
            (OpCode::Query, Ok(info)) => {
                let name = Name::from(info.query.name());
                match self.answer(&name, info.query.query_type(), request.src()) {
                    ZoneAnswer::Fault(Fault::Timeout) => return silence(metadata),
                    ZoneAnswer::Fault(Fault::ServFail) => metadata.response_code = ResponseCode::ServFail,
                    ZoneAnswer::Found(records) => answers = wire_records(&records),
                    ZoneAnswer::NoRecord(records) => {
                        answers = wire_records(&records);
                        soa = Some(start_of_authority());
                    }
                    ZoneAnswer::NoSuchName(records) => {
                        metadata.response_code = ResponseCode::NXDomain;
                        answers = wire_records(&records);
                        soa = Some(start_of_authority());
                    }
                }
            }
            (OpCode::Query, Err(_)) => metadata.response_code = ResponseCode::FormErr,
            _ => metadata.response_code = ResponseCode::NotImp,
        }
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD_OCTETS_MAX);
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if request.edns.is_some() {
            builder.edns(&edns);
        }
        let none: [Record; 0] = [];
        let response = builder.build(metadata, answers.iter(), none.iter(), soa.iter(), none.iter());
        match response_handle.send_response(response).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "answering a DNS question");
                silence(metadata)
            }
        }
    }
}

/// The question stays unanswered.
fn silence(metadata: Metadata) -> ResponseInfo {
    debug_assert_eq!(metadata.message_type, MessageType::Response);
    Header { metadata, counts: HeaderCounts::default() }.into()
}

fn record_type(wire_type: WireType) -> Option<RecordType> {
    Some(match wire_type {
        WireType::A => RecordType::A,
        WireType::AAAA => RecordType::Aaaa,
        WireType::CNAME => RecordType::Cname,
        WireType::MX => RecordType::Mx,
        WireType::TXT => RecordType::Txt,
        WireType::PTR => RecordType::Ptr,
        WireType::SRV => RecordType::Srv,
        _ => return None,
    })
}

fn wire_records(records: &[ZoneRecord]) -> Vec<Record> {
    records.iter().filter_map(wire_record).collect()
}

fn wire_record(record: &ZoneRecord) -> Option<Record> {
    let data = match &record.data {
        ZoneData::A(ip) => RData::A(A(*ip)),
        ZoneData::Aaaa(ip) => RData::AAAA(AAAA(*ip)),
        ZoneData::Cname(target) => RData::CNAME(CNAME(wire_name(target)?)),
        ZoneData::Ptr(target) => RData::PTR(PTR(wire_name(target)?)),
        ZoneData::Mx(mx) => {
            let exchange = match &mx.exchange {
                Some(exchange) => wire_name(exchange)?,
                None => Name::root(),
            };
            RData::MX(MX::new(mx.preference, exchange))
        }
        ZoneData::Srv(srv) => {
            let target = match &srv.target {
                Some(target) => wire_name(target)?,
                None => Name::root(),
            };
            RData::SRV(SRV::new(srv.priority, srv.weight, srv.port, target))
        }
        ZoneData::Txt(strings) => RData::TXT(TXT::new(strings.clone())),
    };
    let mut wire = Record::from_rdata(wire_name(&record.name)?, record.ttl_secs, data);
    wire.dns_class = DNSClass::IN;
    Some(wire)
}

fn wire_name(domain: &Domain) -> Option<Name> {
    let mut name = Name::from_ascii(domain.to_ascii()).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// Makes a negative answer one that may be kept (RFC 2308 §3).
fn start_of_authority() -> Record {
    let soa = SOA::new(Name::root(), Name::root(), 1, 3600, 600, 86400, NEGATIVE_TTL_SECS);
    Record::from_rdata(Name::root(), NEGATIVE_TTL_SECS, RData::SOA(soa))
}
