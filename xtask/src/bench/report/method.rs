//! How the figures came to be, as every report says it.

pub(super) const METHOD: &str = "
## Method

- Two one-node clusters on one machine, over loopback, replication factor 1, no forced flush: with acks=all the leader
  alone answers, so produce latency is optimistic. Brokers run with the full JIT and G1.
- The source topic is written once for all series with the same data by librdkafka: JSON-like records of 1 KB from a seeded
  generator, on 12 partitions and in batches of about 64 KB on the wire, unless the workload (`xtask/src/bench/workload.rs`) or
  the command says otherwise. Batch sizes that were measured stand with each series. A GB is 10⁹ bytes of batches as they lie in
  the source's log; a logical GB is 10⁹ bytes of keys and values.
- Before the pairs of a series copies by Tributary of 2 GB in all do not count: the brokers compile their code in them, as they have
  in a cluster that runs.
- Runs alternate: Tributary, then each peer; in every second pair the peers first, the last one before the others, because who comes first
  finds other memory than the others. Before each the destination is emptied. Each replicator creates the destination topic itself.
- Processor seconds are user and system time of the replicator's process, all threads, from `/proc`. *Whole* goes from
  the start of the process until every record is at the destination: a Java machine's warming up is part of it.
  *Steady* begins when half of the records have arrived: the peers are warm there. Seconds per record and per logical GB are
  those of the steady part.
- Everything is at the destination when the last record of every partition can be read committed there: it has a later time than
  all others, by which it is asked for. Until then offsets are counted; where markers of transactions take offsets too, records are
  that share of them.
- Processor seconds of the brokers are those of the whole run, and once more less what they used at rest in as much time: both are
  looked at for 4 s before the pairs of a series, while nothing is copied.
- Peak memory is `VmHWM`. *First record* is the time from the start of the process until the destination has one, seen ten
  times a second.
- After every run the destination is read with librdkafka and compared: count, order per partition, key, value, headers,
  timestamp. A run that is not equal has no numbers and is listed as lost.
- A run during which the host took more than 5 % of the processor away is listed and does not count. *Others* is what
  neither the replicator nor the two brokers used: kernel threads, the judge's counting, anything else that ran.
- Tributary with TLS reads from the source, writes to the destination, or both, over another listener of the same brokers: TLS
  1.3 with the suite that both prefer. The relay with TLS uses the same library and suite; what it uses more than the relay
  without is encryption's own cost.
- The floor is a process that moves 4 GB between two loopback connections, 1 MiB per call; it runs before each pair. Between logs,
  the same process moves 1 GB out of a file that is sent as brokers send (by the kernel alone, send buffer 100 KiB) to a receiver with
  a broker's receive buffer, 100 KiB, that writes it to a file; at most 64 KiB wait unsent. No broker's program runs there: what the
  relay uses more than the floor is the price of bytes that no cache holds, and of small windows.
- The librdkafka loop (`xtask/src/bin/judge/copy.rs`): one consumer of all partitions, one idempotent producer with acks=all,
  linger 20 ms, `batch.size` 1 MB and the source's codec, partition, timestamp and headers as they were.
- Tributary, decoding: the same program with a rule that drops a header that no record has. Every record is taken apart and put
  together again with the codec of its batch, and batches of up to 1 MB are written. Tributary, full checksums: the same program
  with `check.crcs`, which reads all bytes once more than a checksum that is patched needs.
- W7: the topics' `max.message.bytes` is 10 MiB, and so is what every peer may send. W9: a second topic of 1,000 partitions that
  hold nothing is copied too. W10: Tributary with `exactly.once.support=required`, MirrorMaker 2 with
  `exactly.once.source.support=enabled`, both with `transaction.boundary=interval`. W11: transactions of 12 MB of records, every
  tenth aborted; every peer reads what is committed. W12: the source's cleaner has been through everything but the newest
  segments, of 1 MiB, before copying begins; the destination's does not run. Compared is the last record of each key, in order: where offsets
  are kept, copies of later records stand where the cleaner has taken some, until the destination's takes them out. W14: the
  destination topic is there before with `compression.type=zstd`, and what it costs is the destination broker's time.
- MirrorMaker 2 tuned: dedicated mode, identity policy, 2 tasks, `max.poll.records` 5000,
  `max.partition.fetch.bytes` 2 MiB, `batch.size` 256 KiB, linger 20 ms, idempotent with 5 requests in flight, the
  source's codec, 2 GB heap with the parallel collector. Stock: 1 task, the source's codec, reading what is committed, all else
  left alone, 1 GB heap with G1. The exact files are in `xtask/src/bench/peer/mirror_maker.rs`. Tributary runs with its defaults.
";
