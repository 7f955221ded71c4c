//! Records like the ones services log: JSON of about a kilobyte, or as large as asked for, whose ratio under zstd lies between
//! 3 and 4.
//!
//! Neither constant nor random, both of which make any compression figure meaningless. Record `index` of a seed is
//! always the same bytes, whoever asks and in which order.

/// The size of a record's value in bytes, where nothing else is asked for.
pub(crate) const RECORD_BYTES: usize = 1000;
/// Smaller ones have no room for a list of items.
const SMALL: usize = 600;
/// The smallest there is.
pub(crate) const LEAST_BYTES: usize = 90;

const WORDS: &[&str] = &[
    "account",
    "active",
    "address",
    "amount",
    "arrival",
    "balance",
    "basket",
    "billing",
    "booking",
    "branch",
    "campaign",
    "cancelled",
    "carrier",
    "checkout",
    "client",
    "confirmed",
    "contract",
    "coupon",
    "currency",
    "customer",
    "declined",
    "delivery",
    "departure",
    "deposit",
    "discount",
    "dispatch",
    "expired",
    "failed",
    "forward",
    "gateway",
    "import",
    "invoice",
    "item",
    "journey",
    "ledger",
    "location",
    "merchant",
    "message",
    "network",
    "offer",
    "order",
    "packing",
    "parcel",
    "partner",
    "payment",
    "pending",
    "pickup",
    "policy",
    "premium",
    "product",
    "profile",
    "purchase",
    "quantity",
    "receipt",
    "refund",
    "region",
    "rejected",
    "request",
    "return",
    "route",
    "schedule",
    "settled",
    "shipment",
    "status",
    "stock",
    "supplier",
    "ticket",
    "transfer",
    "traveller",
    "voucher",
    "warehouse",
    "withdrawal",
];

/// A small generator of numbers (SplitMix64): seeded, fast, the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn word(&mut self) -> &'static str {
        let index = self.next() % WORDS.len() as u64;
        WORDS[usize::try_from(index).expect("smaller than the number of words")]
    }
}

/// The value of one record, of so many bytes.
pub(crate) fn record(seed: u64, index: u64, size: usize) -> Vec<u8> {
    if size < SMALL {
        return small(seed, index, size);
    }
    let mut numbers = Numbers(seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    let [session, trace, span, device, digest] = std::array::from_fn(|_| numbers.next());
    let mut text = format!(
        "{{\"id\":{index},\"time\":{},\"session\":\"{session:016x}\",\"trace\":\"{trace:016x}{span:016x}\",\
         \"device\":\"{device:016x}\",\"digest\":\"{digest:016x}\",\
         \"kind\":\"{}.{}\",\"user\":\"user-{:06}\",\"amount\":{}.{:02},\"items\":[",
        1_700_000_000_000_u64 + index * 7 + numbers.next() % 7,
        numbers.word(),
        numbers.word(),
        numbers.next() % 1_000_000,
        numbers.next() % 900,
        numbers.next() % 100,
    );
    while text.len() < size - 140 {
        let item = format!(
            "{{\"sku\":\"{}-{:05}\",\"state\":\"{}\",\"count\":{},\"note\":\"{} {} {}\"}},",
            numbers.word(),
            numbers.next() % 100_000,
            numbers.word(),
            numbers.next() % 20,
            numbers.word(),
            numbers.word(),
            numbers.word(),
        );
        text.push_str(&item);
    }
    text.push_str("{}],\"comment\":\"");
    ended(text, &mut numbers, size)
}

/// One with little in it: what a sensor or a counter says.
fn small(seed: u64, index: u64, size: usize) -> Vec<u8> {
    let mut numbers = Numbers(seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
    let text = format!(
        "{{\"id\":{index},\"user\":\"user-{:06}\",\"kind\":\"{}\",\"comment\":\"",
        numbers.next() % 1_000_000,
        numbers.word(),
    );
    ended(text, &mut numbers, size.max(LEAST_BYTES))
}

/// Words up to a size, and the end of the text and the object that they are in.
fn ended(mut text: String, numbers: &mut Numbers, size: usize) -> Vec<u8> {
    while text.len() < size - 2 {
        text.push_str(numbers.word());
        text.push(' ');
    }
    text.truncate(size - 2);
    text.push_str("\"}");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_json_of_the_stated_size_and_repeatable() {
        for size in [LEAST_BYTES, 100, RECORD_BYTES, 1_000_000] {
            for index in [0, 1, 77, 1_000_000, 50_000_000] {
                let bytes = record(5, index, size);
                assert_eq!(bytes.len(), size);
                assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
                assert_eq!(bytes, record(5, index, size));
            }
        }
        assert_ne!(record(5, 1, RECORD_BYTES), record(6, 1, RECORD_BYTES));
    }
}
