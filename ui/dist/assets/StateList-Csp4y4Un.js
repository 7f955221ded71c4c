import{C as e,E as t,S as n,T as r,_ as i,a,b as o,c as s,d as c,f as l,g as u,h as d,i as f,l as p,m,n as h,o as g,p as _,r as v,s as y,t as ee,u as b,v as x,w as te,x as S,y as C}from"./index-D7n4_lrc.js";var w="# What can be wrong, and what to do\n\nEvery state of a partition or a topic has a name that stays the same: in logs (`state=`), in the REST status, in metrics, and here.\n\n| name | of | what |\n|---|---|---|\n| [`active`](active.md) | partition | It is copied, or there is nothing to copy |\n| [`batches-too-large`](batches-too-large.md) | topic | The source has larger batches than the copy takes |\n| [`cannot-pass`](cannot-pass.md) | partition | A batch can neither be passed on nor be made into something that a broker takes |\n| [`cannot-place`](cannot-place.md) | partition | A record cannot have the offset that it has at the source |\n| [`cleanup-differs`](cleanup-differs.md) | topic | The copy is cleaned up otherwise than its source |\n| [`create-failed`](create-failed.md) | topic | The destination refused to create the copy |\n| [`cycle`](cycle.md) | topic | Copying the topic would copy it back to where it came from |\n| [`damaged`](damaged.md) | partition | The checksum of a batch does not fit, also when it is read again |\n| [`destination-behind`](destination-behind.md) | partition | The destination's log ends before what it had acknowledged |\n| [`destination-deleted`](destination-deleted.md) | topic | The copy has been deleted |\n| [`destination-foreign-writes`](destination-foreign-writes.md) | partition | Somebody else has written where only this link should write, or something of this link is missing in between |\n| [`destination-larger`](destination-larger.md) | topic | The copy has more partitions than its source |\n| [`destination-pending`](destination-pending.md) | topic | The copy does not exist yet |\n| [`destination-recreated`](destination-recreated.md) | partition and of a topic | The destination topic is another one of the same name: its id has changed |\n| [`destination-renamed`](destination-renamed.md) | partition | The stored position belongs to a copy under another name |\n| [`destination-unauthorized`](destination-unauthorized.md) | topic | The destination does not let the link use the copy |\n| [`destination-unknown`](destination-unknown.md) | partition | The broker that leads the copy does not answer |\n| [`end-unknown`](end-unknown.md) | partition | The source's end could not be read for longer than `tributary.health.evidence.max.age.ms` |\n| [`link-cannot-start`](link-cannot-start.md) | an error of a link | A link was refused before anything was copied |\n| [`name-collision`](name-collision.md) | topic | Another topic already has the name that this one's copy would get |\n| [`name-invalid`](name-invalid.md) | topic | The copy cannot have the name that it would get |\n| [`no-broker`](no-broker.md) | an error of a connection | None of the addresses of a cluster could be used |\n| [`no-position`](no-position.md) | partition | The partition has no position and is not told where to begin, or is told a place that is not there |\n| [`offsets-mapped`](offsets-mapped.md) | partition | Offsets were preserved and are mapped from now on |\n| [`offsets-not-preserved`](offsets-not-preserved.md) | partition | Offsets were to be preserved and cannot be |\n| [`origins-lost`](origins-lost.md) | partition | Whether a batch is a copy from the destination cannot be told any more |\n| [`partitions-pending`](partitions-pending.md) | topic | The copy has fewer partitions than its source |\n| [`refused`](refused.md) | partition | The destination does not take a record |\n| [`replication-reduced`](replication-reduced.md) | topic | The copy has fewer replicas than it should |\n| [`retrying`](retrying.md) | partition | Something went wrong that may pass |\n| [`setting-left-out`](setting-left-out.md) | topic | A setting is not copied, because it would harm |\n| [`setting-refused`](setting-refused.md) | topic | The destination refused a setting |\n| [`settings-not-followed`](settings-not-followed.md) | topic | Settings of the topic are not followed at the moment |\n| [`source-deleted`](source-deleted.md) | topic | The topic was replicated and has been deleted at the source |\n| [`source-gap`](source-gap.md) | partition | Records that were not copied yet are gone at the source: its log starts behind the place where the copy stands |\n| [`source-missing`](source-missing.md) | topic | A topic that is named does not exist at the source |\n| [`source-recreated`](source-recreated.md) | partition and of a topic | The source topic is another one of the same name: its id has changed |\n| [`source-truncated`](source-truncated.md) | partition | Records that were copied have been taken back at the source |\n| [`source-unauthorized`](source-unauthorized.md) | topic | The source does not let the link look at the topic |\n| [`stalled`](stalled.md) | partition | For longer than `tributary.health.stall.ms` records wait at the source and none of them was copied |\n| [`starting`](starting.md) | partition | Leaders and ends of both logs are being looked up |\n| [`system-topic`](system-topic.md) | topic | The topic holds the state of another program of the same cluster |\n| [`taken-over`](taken-over.md) | partition | Another process has taken this link over: the destination refuses what this one writes |\n| [`timestamps-replaced`](timestamps-replaced.md) | topic | The destination stamps records itself |\n| [`tombstones-missed`](tombstones-missed.md) | topic | The copy was behind for longer than the source keeps deletions |\n\nA partition that stands is resumed alone:\n\n```\ncurl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8083/api/v1/links/LINK/topics/TOPIC/partitions/0:resume \\\n     -d '{\"action\":\"continue\",\"expected_offset\":1042}'\ntributary resume partition LINK TOPIC/0 --continue --expect-offset 1042\n```\n\nWhere no worker runs, the same is said to a run of `tributary replicate`, `standalone` or `mirror-maker`, once, when the partition stands:\n`--answer TOPIC/0=continue@1042`. What leaves records out needs the offset, so that an answer that is left in a service file does\nnothing at the next gap.\n\n`GET /api/v1/links/LINK/partitions` shows every partition with its state, reason, lag and the answers that help.\n",T=`# \`active\`

*state of a partition*

**What.** It is copied, or there is nothing to copy.

**Why.** Nothing stands in its way.

**What to do.** Nothing.
`,E=`# \`batches-too-large\`

*state of a topic*

**What.** The source has larger batches than the copy takes.

**Why.** \`max.message.bytes\` of the copy is smaller.

**What to do.** Raise it; until then such batches are divided.
`,D=`# \`cannot-pass\`

*state of a partition*

**What.** A batch can neither be passed on nor be made into something that a broker takes.

**Why.** Its format is unknown, or it has become too large or too many records for one batch.

**What to do.** To leave it out: \`POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume\` with \`{"action":"skip-record"}\`.
`,O=`# \`cannot-place\`

*state of a partition*

**What.** A record cannot have the offset that it has at the source.

**Why.** Offsets are to be preserved, and something stands there already or too many offsets lie in front.

**What to do.** Set \`tributary.offsets=auto\` or \`map\`, then resume the partition.
`,k=`# \`cleanup-differs\`

*state of a topic*

**What.** The copy is cleaned up otherwise than its source.

**Why.** Its \`cleanup.policy\` is another one, or is changed for the moment.

**What to do.** Nothing, or set the source's policy.
`,A=`# \`create-failed\`

*state of a topic*

**What.** The destination refused to create the copy.

**Why.** The reason has its answer: rights, a policy, too few brokers, a setting it does not know.

**What to do.** Mend that; it is tried again every \`topic.create.backoff.ms\`.
`,j=`# \`cycle\`

*state of a topic*

**What.** Copying the topic would copy it back to where it came from.

**Why.** Links go both ways and the selection holds copies.

**What to do.** Exclude the copies.
`,M=`# \`damaged\`

*state of a partition*

**What.** The checksum of a batch does not fit, also when it is read again.

**Why.** It is damaged on the source's disk.

**What to do.** Make another replica the leader, if it has the batch whole, then \`POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume\` with \`{"action":"resume"}\`. To leave the batch out: \`POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume\` with \`{"action":"skip-record"}\`.
`,N=`# \`destination-behind\`

*state of a partition*

**What.** The destination's log ends before what it had acknowledged, or others have written where that stood; the reason has the numbers.

**Why.** The topic was emptied or cut short, or brokers lost data (\`acks\` was satisfied by replicas that are gone).

**What to do.** To copy everything the source still has: \`POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume\` with \`{"action":"recopy"}\`, or \`tributary.on.recreate=restart\`. Find out why the destination lost data.
`,P=`# \`destination-deleted\`

*state of a topic*

**What.** The copy has been deleted.

**Why.** Somebody deleted it.

**What to do.** Create it, or set \`tributary.on.recreate=restart\` to copy everything the source still has.
`,F=`# \`destination-foreign-writes\`

*state of a partition*

**What.** Somebody else has written where only this link should write, or something of this link is missing in between.

**Why.** Another producer, another link, or a second process of this one writes to the same partition.

**What to do.** Stop the other writer. Then \`POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume\` with \`{"action":"resume"}\`. Where offsets are to be preserved, delete the copy and copy it anew, or set \`tributary.on.foreign.writes=map\`.
`,I=`# \`destination-larger\`

*state of a topic*

**What.** The copy has more partitions than its source.

**Why.** Somebody added some.

**What to do.** Nothing; keys of other producers are spread differently there.
`,L=`# \`destination-pending\`

*state of a topic*

**What.** The copy does not exist yet.

**Why.** It is created soon, or somebody else has to create it (\`topic.auto.create=false\`).

**What to do.** Create it, if that is yours to do.
`,R=`# \`destination-recreated\`

*state of a partition and of a topic*

**What.** The destination topic is another one of the same name: its id has changed.

**Why.** It was deleted and created, or the cluster was replaced.

**What to do.** To copy everything the source still has into it: \`POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume\` with \`{"action":"recopy"}\`, or \`tributary.on.recreate=restart\`.
`,z=`# \`destination-renamed\`

*state of a partition*

**What.** The stored position belongs to a copy under another name.

**Why.** \`topic.rename.format\` was changed.

**What to do.** Change it back, give the link another name, or copy everything again: \`POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume\` with \`{"action":"recopy"}\`.
`,B=`# \`destination-unauthorized\`

*state of a topic*

**What.** The destination does not let the link use the copy.

**Why.** Rights are missing.

**What to do.** Grant DESCRIBE, WRITE, READ and CREATE on it at the destination; \`tributary preflight\` prints the commands.
`,V=`# \`destination-unknown\`

*state of a partition*

**What.** The broker that leads the copy at the destination has not answered for longer than half of \`tributary.health.evidence.max.age.ms\`, on connections that are used for nothing else. Whether what is copied still arrives is not known.

**Why.** The broker is down, hangs, or the network to it is cut.

**What to do.** Mend what the reason names. Copying is tried all the while and goes on by itself.
`,H=`# \`end-unknown\`

*state of a partition*

**What.** The source's end could not be read for longer than \`tributary.health.evidence.max.age.ms\`, or for half of that where brokers were asked and did not answer. Whether there is something to copy is not known; the lag that is shown is a lower bound and grows.

**Why.** No broker answers, the leader hangs, or DESCRIBE on the topic is missing.

**What to do.** Mend what the reason names. Copying is tried all the while and goes on by itself.
`,U=`# \`link-cannot-start\`

*an error of a link*

**What.** A link was refused before anything was copied.

**Why.** Both sides are the same cluster, the cluster behind an address has changed, a listed topic is missing, or positions cannot be read.

**What to do.** The message says which, and what to change.
`,W=`# \`name-collision\`

*state of a topic*

**What.** Another topic already has the name that this one's copy would get.

**Why.** Two source topics are renamed to the same name, or differ in \`.\` and \`_\` only.

**What to do.** Exclude one, or give copies names of their own.
`,G=`# \`name-invalid\`

*state of a topic*

**What.** The copy cannot have the name that it would get.

**Why.** \`topic.rename.format\` makes it too long, or puts characters in that Kafka does not take.

**What to do.** Choose another format, or exclude the topic.
`,K=`# \`no-broker\`

*an error of a connection*

**What.** None of the addresses of a cluster could be used; the text has each with its reason.

**Why.** Wrong addresses, a firewall, brokers that are down or hang.

**What to do.** \`tributary preflight\` goes through name, connection, TLS, versions, login and rights for every address, and says where it ends. Links try again by themselves.
`,q=`# \`no-position\`

*state of a partition*

**What.** The partition has no position and is not told where to begin, or is told a place that is not there.

**Why.** \`auto.offset.reset=none\`, or an offset behind the log's end.

**What to do.** Say where by \`tributary.start\`.
`,J=`# \`offsets-mapped\`

*state of a partition*

**What.** Offsets were preserved and are mapped from now on.

**Why.** The link's settings changed so that they cannot be preserved.

**What to do.** Nothing, unless equal offsets are needed: then undo the change and copy the topic anew.
`,Y=`# \`offsets-not-preserved\`

*state of a partition*

**What.** Offsets were to be preserved and cannot be; the reason says why.

**Why.** A right is missing, the topic is shared or changed, or it held other records.

**What to do.** Grant what the reason names, or set \`tributary.offsets=map\`.
`,ne=`# \`origins-lost\`

*state of a partition*

**What.** Whether a batch is a copy from the destination cannot be told any more.

**Why.** The registry of producer ids is gone or another one.

**What to do.** Restore the topic, or set \`tributary.on.origins.lost=continue\`.
`,X=`# \`partitions-pending\`

*state of a topic*

**What.** The copy has fewer partitions than its source. The others are copied.

**Why.** ALTER is missing at the destination.

**What to do.** Grant it, or add the partitions.
`,Z='# `refused`\n\n*state of a partition*\n\n**What.** The destination does not take a record; the reason has offsets, sizes and the broker\'s answer.\n\n**Why.** It is larger than `max.message.bytes`, has no key in a compacted topic, or a time outside of what the topic takes.\n\n**What to do.** Mend the topic\'s setting: the record is tried again by itself within seconds. Until then it is not sent again. Where the link may not read the topic\'s settings (DESCRIBE_CONFIGS), say it: `POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume` with `{"action":"resume"}`. To leave out this one record: `POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume` with `{"action":"skip-record"}`; it is logged and counted. For all such records: `tributary.on.refused=quarantine` or `skip`.\n',re=`# \`replication-reduced\`

*state of a topic*

**What.** The copy has fewer replicas than it should.

**Why.** The destination had too few brokers.

**What to do.** Add brokers and reassign.
`,ie=`# \`retrying\`

*state of a partition*

**What.** Something went wrong that may pass. The partition is tried again by itself, after pauses from 0.1 s to 6 s.

**Why.** A broker is gone, a leader moved, a request timed out, a right is missing. The reason names the side, the broker and the answer.

**What to do.** Nothing if it passes. Otherwise mend what the reason names; the partition goes on by itself within seconds.
`,ae=`# \`setting-left-out\`

*state of a topic*

**What.** A setting is not copied, because it would harm.

**Why.** The reason names it.

**What to do.** Set it at the destination by hand, or exclude it by \`config.properties.exclude\`.
`,oe=`# \`setting-refused\`

*state of a topic*

**What.** The destination refused a setting.

**Why.** It does not know it, or a policy forbids it.

**What to do.** Set it at the destination by hand, or exclude it by \`config.properties.exclude\`.
`,se=`# \`settings-not-followed\`

*state of a topic*

**What.** Settings of the topic are not followed at the moment.

**Why.** Rights are missing.

**What to do.** Grant DESCRIBE_CONFIGS at the source, DESCRIBE_CONFIGS and ALTER_CONFIGS at the destination.
`,ce=`# \`source-deleted\`

*state of a topic*

**What.** The topic was replicated and has been deleted at the source. The copy is kept.

**Why.** Somebody deleted it.

**What to do.** Take it out of the selection, or create it again.
`,le='# `source-gap`\n\n*state of a partition*\n\n**What.** Records that were not copied yet are gone at the source: its log starts behind the place where the copy stands. The reason has the exact range and count, and `tributary_records_lost_total` counts them.\n\n**Why.** Retention or DeleteRecords was faster than the copying, or the link did not run for longer than the source keeps records.\n\n**What to do.** These records cannot be copied any more. To go on behind them once: `POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume` with `{"action":"continue"}`. To copy everything that is still there anew: `recopy`. To go on always: `tributary.on.gap=continue`; each gap is then logged and counted, and shown by the check `gaps` of the link\'s health until the process ends. Raise the source\'s retention.\n',ue=`# \`source-missing\`

*state of a topic*

**What.** A topic that is named does not exist at the source.

**Why.** It was not created yet, or is spelled otherwise.

**What to do.** Create it, or take it out of the selection; it is picked up when it appears.
`,de=`# \`source-recreated\`

*state of a partition and of a topic*

**What.** The source topic is another one of the same name: its id has changed. Nothing of the new topic was mixed into the old copy.

**Why.** It was deleted and created.

**What to do.** To copy the new topic from its first record, behind the old copy: \`POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume\` with \`{"action":"append"}\`, or \`tributary.on.recreate=restart\` for all topics. To keep only the new one, delete the copy first.
`,fe='# `source-truncated`\n\n*state of a partition*\n\n**What.** Records that were copied have been taken back at the source; the reason has the exact range. Nothing was mixed into the copy.\n\n**Why.** A replica that had fallen behind became leader (an unclean election), or an acknowledged write was lost with its only disk. It is found by leader epochs, so also when other records have taken those offsets.\n\n**What to do.** Compare both sides with `tributary verify`. To keep what was copied and go on with what the source has now: `POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume` with `{"action":"continue"}`; offsets are mapped from then on. Set `unclean.leader.election.enable=false` and produce with `acks=all`.\n',pe=`# \`source-unauthorized\`

*state of a topic*

**What.** The source does not let the link look at the topic.

**Why.** Rights are missing.

**What to do.** Grant DESCRIBE, READ and DESCRIBE_CONFIGS on it at the source; \`tributary preflight\` prints the commands.
`,me=`# \`stalled\`

*state of a partition*

**What.** For longer than \`tributary.health.stall.ms\` records wait at the source and none of them was copied.

**Why.** This is found by comparing the source's end, read on connections of its own, with what the destination has acknowledged. It does not depend on what the partition says of itself. The last error that was heard of it, or of a broker that it needs, is in the reason.

**What to do.** Look at the last error first. Without one, look whether the destination's leader of that partition answers other clients. The state ends when a record is copied, not when the error stops being said.
`,he=`# \`starting\`

*state of a partition*

**What.** Leaders and ends of both logs are being looked up; nothing is written yet.

**Why.** Every start, every change of leaders and every doubt about an answer begins so. It passes within a second unless a cluster does not answer.

**What to do.** Nothing. If it lasts for a minute, the reason of the partition or of the link says which side does not answer.
`,ge=`# \`system-topic\`

*state of a topic*

**What.** The topic holds the state of another program of the same cluster.

**Why.** The selection holds it.

**What to do.** Exclude it, unless that is what you want.
`,_e=`# \`taken-over\`

*state of a partition*

**What.** Another process has taken this link over: the destination refuses what this one writes.

**Why.** Two processes run the same link.

**What to do.** End one of them.
`,ve=`# \`timestamps-replaced\`

*state of a topic*

**What.** The destination stamps records itself.

**Why.** \`message.timestamp.type\` of the copy is LogAppendTime.

**What to do.** Set it to CreateTime.
`,ye='# `tombstones-missed`\n\n*state of a topic*\n\n**What.** The copy of a compacted topic was behind for longer than the source keeps deletions. Records are copied; keys that were deleted at the source in that time may still be in the copy. The reason names partitions and times.\n\n**Why.** A broker keeps a tombstone for `delete.retention.ms` (a day by default), and then removes it with everything it deletes. The link stood still, or lagged, for longer. Whether there was a tombstone cannot be seen any more; nothing is said where nothing was written at the source in that time.\n\n**What to do.** Compare: `tributary verify` counts as `compaction-unproved` what only the copy has. Delete such keys in the copy by writing tombstones to it, or have the copy made anew (delete it, `tributary.on.recreate=restart`). A copy that is another topic begins without this state; otherwise it ends, for a partition, with `tributary resume partition LINK TOPIC/P --continue`, also by `POST /api/v1/links/LINK/topics/TOPIC/partitions/P:resume` with `{"action":"continue"}`. It is remembered over restarts. Raise the source\'s `delete.retention.ms` above the longest outage.\n';function be(e,t){let n=e=>RegExp(`\\*\\*${e}\\.\\*\\*\\s+([^]*?)(?=\\n\\*\\*[A-Z]|$)`).exec(t)?.[1]?.replace(/\s+/g,` `).trim(),[r,i,a]=[n(`What`),n(`Why`),n(`What to do`)];return!r||!i||!a?null:{name:e,of:/^\*([^*]+)\*$/m.exec(t)?.[1]??``,what:r,why:i,remedy:a}}function xe(e){return e.split("`").map((e,t)=>({text:e,code:t%2==1})).filter(e=>e.text!==``)}var Q=Object.entries(Object.assign({"../../../docs/errors/README.md":w,"../../../docs/errors/active.md":T,"../../../docs/errors/batches-too-large.md":E,"../../../docs/errors/cannot-pass.md":D,"../../../docs/errors/cannot-place.md":O,"../../../docs/errors/cleanup-differs.md":k,"../../../docs/errors/create-failed.md":A,"../../../docs/errors/cycle.md":j,"../../../docs/errors/damaged.md":M,"../../../docs/errors/destination-behind.md":N,"../../../docs/errors/destination-deleted.md":P,"../../../docs/errors/destination-foreign-writes.md":F,"../../../docs/errors/destination-larger.md":I,"../../../docs/errors/destination-pending.md":L,"../../../docs/errors/destination-recreated.md":R,"../../../docs/errors/destination-renamed.md":z,"../../../docs/errors/destination-unauthorized.md":B,"../../../docs/errors/destination-unknown.md":V,"../../../docs/errors/end-unknown.md":H,"../../../docs/errors/link-cannot-start.md":U,"../../../docs/errors/name-collision.md":W,"../../../docs/errors/name-invalid.md":G,"../../../docs/errors/no-broker.md":K,"../../../docs/errors/no-position.md":q,"../../../docs/errors/offsets-mapped.md":J,"../../../docs/errors/offsets-not-preserved.md":Y,"../../../docs/errors/origins-lost.md":ne,"../../../docs/errors/partitions-pending.md":X,"../../../docs/errors/refused.md":Z,"../../../docs/errors/replication-reduced.md":re,"../../../docs/errors/retrying.md":ie,"../../../docs/errors/setting-left-out.md":ae,"../../../docs/errors/setting-refused.md":oe,"../../../docs/errors/settings-not-followed.md":se,"../../../docs/errors/source-deleted.md":ce,"../../../docs/errors/source-gap.md":le,"../../../docs/errors/source-missing.md":ue,"../../../docs/errors/source-recreated.md":de,"../../../docs/errors/source-truncated.md":fe,"../../../docs/errors/source-unauthorized.md":pe,"../../../docs/errors/stalled.md":me,"../../../docs/errors/starting.md":he,"../../../docs/errors/system-topic.md":ge,"../../../docs/errors/taken-over.md":_e,"../../../docs/errors/timestamps-replaced.md":ve,"../../../docs/errors/tombstones-missed.md":ye})).map(([e,t])=>be(e.replace(/^.*\/|\.md$/g,``),t)).filter(e=>e!==null).sort((e,t)=>e.name.localeCompare(t.name)),$=(e,n=t)=>{var r=b(),o=i(r);a(o,17,()=>xe(n()),g,(e,t)=>{var n=b(),r=i(n),a=e=>{var n=Se(),r=x(n,!0);m(()=>s(r,_(t).text)),p(e,n)},o=e=>{var n=l();m(()=>s(n,_(t).text)),p(e,n)};y(r,e=>{_(t).code?e(a):e(o,-1)}),p(e,n)}),p(e,r)},Se=c(`<code> </code>`),Ce=c(`<details class="entry"><summary><strong class="mono"> </strong> <span class="muted wrap"><!></span></summary> <dl class="facts svelte-1e1domb"><dt>It is</dt><dd> </dd> <dt>Why</dt><dd><!></dd> <dt>What to do</dt><dd><!></dd></dl></details>`),we=c(`<p class="body muted svelte-1e1domb">No state has this in its name.</p>`),Te=c(`<section class="card" aria-labelledby="states"><header class="spread"><h2 id="states">States of topics and partitions</h2><input type="search" data-filter="" placeholder="Filter  ( / )" aria-label="Filter states"/></header> <!></section>`);function Ee(t,i){te(i,!0);let c=S(``),l=n(()=>Q.filter(e=>`${e.name} ${e.what}`.toLowerCase().includes(_(c).toLowerCase()))),g=S(void 0);d(()=>{i.shown&&_(g)?.querySelector(`details[open]`)?.scrollIntoView({block:`center`})});var y=Te(),b=u(y),w=C(u(b));f(w),r(b);var T=C(b,2);a(T,17,()=>_(l),e=>e.name,(e,t)=>{var n=Ce(),a=u(n),o=u(a),c=x(o,!0),l=C(o,2);$(u(l),()=>_(t).what),r(l),r(a);var d=C(a,2),f=C(u(d)),h=x(f,!0),g=C(f,3);$(u(g),()=>_(t).why),r(g);var v=C(g,3);$(u(v),()=>_(t).remedy),r(v),r(d),r(n),m(e=>{n.open=_(t).name===i.shown,s(c,e),s(h,_(t).of)},[()=>ee(_(t).name)]),p(e,n)},e=>{var t=we();p(e,t)}),r(y),h(y,e=>o(g,e),()=>_(g)),v(w,()=>_(c),e=>o(c,e)),p(t,y),e()}export{Ee as default};