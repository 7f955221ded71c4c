// Made-up clusters, links and troubles, in the shapes of /api/v1. For development and the browser test only.

const EXPLAINED = {
  acl: {
    id: 'topic-authorization', title: 'Not authorized to access topics', cause: 'The user of this link may not write to the topic at the destination.', side: 'destination',
    fix: ['Grant WRITE and DESCRIBE on the topic to the user of the link.', 'Then resume; nothing else is needed.'],
    commands: ["kafka-acls --bootstrap-server central-1:9092 --add --allow-principal User:tributary --operation Write --operation Describe --topic 'audit.'"],
    retries: 'needs-action', help: '/ui/help/explain#topic-authorization', matched_text: 'org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [audit.logins]\n\tat destination central-1:9092 (id 1)',
  },
  recreated: {
    id: 'source-recreated', title: 'The source topic was made anew', cause: 'The topic has another id than the one that was copied.', side: 'source',
    fix: ['Decide whether the new topic belongs to the same copy.'], commands: [], retries: 'needs-action', help: null, matched_text: null,
  },
}

export const iso = (secondsAgo = 0) => new Date(Date.now() - secondsAgo * 1000).toISOString()

const clusters = {
  west: { alias: 'west', cluster_id: 'Wq3vY0mTQ1C2kq9d4nq3Xg', bootstrap: 'west-1:9092,west-2:9092' },
  east: { alias: 'east', cluster_id: 'Ea8sT1kRSdyv7Zp0mCq2Lw', bootstrap: 'east-1:9092' },
  central: { alias: 'central', cluster_id: 'Ce5nTr4lQWmGd0yVb1aQ9A', bootstrap: 'central-1:9092,central-2:9092,central-3:9092' },
  lake: { alias: 'lake', cluster_id: 'La7kE2oPRQ6bq0dZsCs8Kw', bootstrap: 'lake-1:9092' },
  plant: { alias: 'plant', cluster_id: 'Pl4nT9fXSSu3w1EeYQz0Mg', bootstrap: 'plant-1:9092' },
}

export const lag = (records, seconds, known = true) => ({ known, records, seconds, bytes: records === null ? null : records * 154, seconds_basis: known ? 'observed' : 'stale', bytes_basis: 'estimated', as_of: known ? iso(1.4) : iso(140) })

function link(name, from, to, health, more = {}) {
  const stopped = health === 'STOPPED' || health === 'PAUSED'
  return {
    schema: 'tributary/v1/Link', name, source: clusters[from], destination: clusters[to], health, health_reason: 'All checks pass.', severity: 0,
    connect_state: health === 'STOPPED' ? 'STOPPED' : health === 'PAUSED' ? 'PAUSED' : 'RUNNING', mode: 'at-least-once',
    naming: { format: `${from}.\${topic}`, policy: null, example: `orders → ${from}.orders` },
    tasks: { total: stopped ? 0 : 8, running: stopped ? 0 : 8, failed: 0, paused: 0, unassigned: 0 },
    topics: { total: 142, active: 142, failing: 0, paused: 0, excluded: 41 }, partitions: { total: 1704, by_state: { active: 1704 } },
    records_per_second: stopped ? 0 : 18400, bytes_per_second: stopped ? 0 : 22020096, lag: lag(312, 0.4),
    catch_up: { seconds: 0, records_per_second: 0, converging: true }, retention_headroom_seconds: null, groups: null, attention: [], workers: ['worker-1:8083'],
    created_at: null, changed_at: iso(86400 * 3), config_version: 'a1b2c3', companions: [], as_of: iso(1.2), ...more,
  }
}

const attention = (severity, object, summary, since, explanation = null, actions = []) => ({ severity, object, summary, since: iso(since), explanation, actions })

export function links(scenario) {
  if (scenario === 'empty') return []
  if (scenario === 'bare') {
    const none = { total: 0, active: 0, failing: 0, paused: 0, excluded: 0 }
    return [link('new-link', 'west', 'central', 'STOPPED', { health_reason: 'Stopped by a user.', lag: lag(null, null, false), topics: none, partitions: { total: 0, by_state: {} }, records_per_second: null, bytes_per_second: null, workers: [] })]
  }
  if (scenario === 'large') {
    const words = ['HEALTHY', 'HEALTHY', 'HEALTHY', 'CATCHING_UP', 'DEGRADED', 'FAILED', 'UNKNOWN']
    const places = Array.from({ length: 40 }, (_, index) => ({ alias: `region-${index + 1}`, cluster_id: `cluster-${String(index + 1).padStart(4, '0')}`, bootstrap: `r${index + 1}:9092` }))
    return Array.from({ length: 1000 }, (_, index) => link(`link-${String(index + 1).padStart(4, '0')}`, 'west', 'central', words[index % words.length], { source: places[index % 39], destination: places[39], lag: lag(index * 37, (index % 90) / 3) }))
  }
  const all = [
    link('orders-dr', 'west', 'central', 'HEALTHY', { lag: lag(312, 0.4) }),
    link('payments', 'east', 'central', 'CATCHING_UP', { health_reason: 'Lag is 4 m 10 s and shrinks by 12.1 k records/s.', records_per_second: 61200, bytes_per_second: 74000000, lag: lag(2_910_442, 250), catch_up: { seconds: 240, records_per_second: 12100, converging: true } }),
    link('audit-dr', 'west', 'lake', 'DEGRADED', {
      health_reason: '1 of 142 topics does not replicate: audit.logins is refused by the destination.', records_per_second: 3100, bytes_per_second: 2_400_000, lag: lag(88_120, 720),
      topics: { total: 142, active: 141, failing: 1, paused: 0, excluded: 41 }, tasks: { total: 8, running: 7, failed: 1, paused: 0, unassigned: 0 },
      attention: [
        attention('critical', { kind: 'task', link: 'audit-dr', task: 2 }, 'Task 2 failed: Not authorized to access topics: [audit.logins]', 740, EXPLAINED.acl, [{ label: 'Restart task', method: 'POST', path: '/connectors/audit-dr/tasks/2/restart' }]),
        attention('warning', { kind: 'partition', link: 'audit-dr', topic: 'audit.sessions', partition: 3 }, 'audit.sessions-3 stands: the source topic was made anew', 320, EXPLAINED.recreated),
      ],
    }),
    link('telemetry', 'plant', 'lake', 'FAILED', {
      health_reason: 'No partition makes progress: the source does not answer.', records_per_second: 0, bytes_per_second: 0, lag: lag(1_204_113, 95, false), partitions: { total: 64, by_state: { stalled: 64 } },
      attention: [attention('critical', { kind: 'link', link: 'telemetry' }, 'plant-1:9092 cannot be reached: connection refused', 95)],
    }),
    link('central-feed', 'central', 'lake', 'UNKNOWN', { health_reason: 'End offsets of central were read 2 m 20 s ago for the last time.', records_per_second: null, bytes_per_second: null, lag: lag(40, 141, false) }),
    link('reference-back', 'central', 'west', 'HEALTHY', { records_per_second: 120, bytes_per_second: 96_000, lag: lag(0, 0), topics: { total: 6, active: 6, failing: 0, paused: 0, excluded: 177 } }),
    link('archive', 'east', 'lake', 'STOPPED', { health_reason: 'Stopped by a user.', lag: lag(null, null, false) }),
    link('a->b.MirrorSourceConnector', 'east', 'central', 'PAUSED', { health_reason: 'Paused by a user.', lag: lag(1500, 60) }),
    link('odd / name with <b>markup</b> \u202e', 'plant', 'central', 'HEALTHY', { lag: lag(2, 0.1), records_per_second: 12, bytes_per_second: 1400 }),
  ]
  return scenario === 'stale' ? all.map((each) => ({ ...each, as_of: iso(45) })) : all
}

export function checks(one) {
  const verdict = (check, word, evidence, more = {}) => ({ check, verdict: word, evidence, observed_at: iso(1.6), age_seconds: 1.6, observed_by: 'end-offset probe, worker-1:8083', remedy: null, explanation: null, affected: { topics: 0, partitions: 0 }, ...more })
  const failed = one.health === 'DEGRADED' || one.health === 'FAILED'
  const unknown = one.health === 'UNKNOWN'
  return [
    verdict('connector-running', 'PASS', 'The link runs.'),
    failed
      ? verdict('tasks-running', 'FAIL', '1 of 8 tasks failed 12 m ago.', { remedy: 'Grant the permission below, then restart the task.', explanation: EXPLAINED.acl, affected: { topics: 1, partitions: 12 } })
      : verdict('tasks-running', 'PASS', '8/8 tasks running for 34 m.'),
    unknown
      ? verdict('evidence-fresh', 'UNKNOWN', 'End offsets were read 2 m 20 s ago.', { observed_at: iso(140), age_seconds: 140, remedy: 'Look at the connection to the source.' })
      : verdict('evidence-fresh', 'PASS', '1704/1704 end offsets read in the last 4 s.'),
    verdict('source-reachable', 'PASS', '3/3 brokers answered.'), verdict('destination-reachable', 'PASS', '3/3 brokers answered.'),
    verdict('progress', failed ? 'FAIL' : 'PASS', failed ? '12 partitions stand for 12 m.' : '142/142 topics moved or are caught up.'),
    one.health === 'CATCHING_UP' ? verdict('lag', 'WARN', '250 s behind, shrinking.') : verdict('lag', failed ? 'WARN' : 'PASS', `${one.lag.seconds ?? 0} s behind, limit 60 s.`),
    verdict('gaps', 'PASS', 'None in 24 h.'), verdict('topics-sync', 'PASS', 'Scanned 40 s ago.', { observed_at: iso(40), age_seconds: 40 }), verdict('settings-sync', 'PASS', '142 topics equal, 40 s ago.', { observed_at: iso(40), age_seconds: 40 }),
  ]
}

const NAMES = ['orders', 'orders.lines', 'orders.returns', 'payments.authorised', 'payments.settled', 'inventory.stock', 'inventory.moves', 'shipping.labels', 'customers', 'customers.consents', 'audit.logins', 'audit.sessions', 'web.clicks', 'web.searches', 'prices', 'prices.history']

export function topics(scenario, one) {
  const number = scenario === 'large' ? 5000 : NAMES.length
  return Array.from({ length: number }, (_, index) => {
    const name = NAMES[index] ?? `topic-${String(index).padStart(5, '0')}`
    const failing = one.health === 'DEGRADED' && name === 'audit.logins'
    return {
      schema: 'tributary/v1/Topic', link: one.name, topic: name, destination_topic: `west.${name}`, partitions: { source: 12, destination: 12 }, state: failing ? 'destination-unauthorized' : 'replicating', state_class: failing ? 'failing' : 'active',
      condition: null, reason: failing ? 'Not authorized to access topics: [audit.logins]' : null, since: iso(740), lag: failing ? lag(88_120, 720) : lag((index * 13) % 97, ((index * 13) % 97) / 100), records_per_second: failing ? 0 : 40 + ((index * 389) % 2200), bytes_per_second: failing ? 0 : 60_000 + ((index * 7919) % 900) * 3000,
      catch_up: { seconds: null, records_per_second: null, converging: null }, retention_headroom_seconds: failing ? 11_400 : null, drift: null, verified_at: null, excluded_by: null, as_of: one.as_of,
    }
  })
}

export function partition(one, topic, number) {
  const failing = one.health === 'DEGRADED' && (topic === 'audit.logins' || (topic === 'audit.sessions' && number === 3))
  const gap = failing && topic === 'audit.sessions'
  const wave = Math.max(0, Math.round((Math.sin(Date.now() / 9000 + number + topic.length) + 1) * 20 * (number % 5)))
  const behind = failing ? 7300 + number : one.health === 'CATCHING_UP' ? 20_000 + wave * 400 : wave
  const end = 4_812_000 + number * 977
  return {
    schema: 'tributary/v1/Partition', link: one.name, topic, partition: number, destination_topic: `west.${topic}`, state: failing ? (gap ? 'source-recreated' : 'refused') : 'active', verdict: failing ? 'FAIL' : 'PASS', reason: gap ? 'the topic has another id than the one that was copied' : failing ? 'Not authorized to access topics' : null, since: iso(740), no_progress_seconds: 0,
    source_start_offset: 1_200_000, source_end_offset: end, read_offset: null, acked_offset: end - behind, destination_end_offset: end - behind, records_total: 0, bytes_total: 0, lag: one.lag.known || one.health === 'HEALTHY' ? lag(behind, behind / 120) : lag(behind, behind / 120, false), last_record_timestamp: iso(2),
    source_leader: 1 + (number % 3), destination_leader: 1 + ((number + 1) % 3), task: number % 8, worker_id: 'worker-1:8083', error: failing && !gap ? { offset: end - behind, kind: 'stopped', message: EXPLAINED.acl.matched_text, side: 'destination', next_attempt_at: null, explanation: EXPLAINED.acl } : null,
    gap: gap ? { kind: 'source-recreated', from_offset: end - behind, to_offset: 0, policy: 'stop', answers: ['resume', 'append', 'recopy'] } : null, answers: gap ? ['resume', 'append', 'recopy'] : failing ? ['resume', 'skip-record'] : [], help: failing ? `docs/errors/${gap ? 'source-recreated' : 'refused'}.md` : null, as_of: one.as_of,
  }
}

export function partitions(scenario, one) {
  const names = scenario === 'large' ? Array.from({ length: 1667 }, (_, index) => `topic-${String(index).padStart(5, '0')}`) : NAMES
  return names.flatMap((topic) => Array.from({ length: scenario === 'large' ? 12 : topic.startsWith('audit') ? 6 : 4 }, (_, number) => partition(one, topic, number)))
}

export function tasks(one) {
  return Array.from({ length: one.tasks.total }, (_, task) => {
    const failed = task === 2 && one.tasks.failed > 0
    return { schema: 'tributary/v1/Task', link: one.name, task, state: failed ? 'FAILED' : 'RUNNING', worker_id: 'worker-1:8083', since: iso(failed ? 740 : 2040), partitions: 213, lag: failed ? lag(88_120, 720) : one.lag.known ? lag((task * 37) % 90, ((task * 37) % 90) / 100) : lag(null, null, false), restarts: failed ? 3 : 0, trace: failed ? EXPLAINED.acl.matched_text : null, explanation: failed ? EXPLAINED.acl : null, as_of: iso(1) }
  })
}

function joined(cluster) {
  const all = links('normal')
  const named = (side) => all.filter((one) => one[side].cluster_id === cluster.cluster_id).map((one) => one.name)
  const [from, to] = [named('source'), named('destination')]
  return { roles: [...(from.length ? ['source'] : []), ...(to.length ? ['destination'] : [])], links: [...new Set([...from, ...to])].sort() }
}

export function clusterList() {
  return Object.values(clusters).map((each) => ({ schema: 'tributary/v1/Cluster', ...each, aliases: [each.alias], version: each.alias === 'plant' ? null : '4.3.1', brokers: { reachable: each.alias === 'plant' ? 0 : 3, total: 3 }, reachability: { check: 'reachable', verdict: each.alias === 'plant' ? 'FAIL' : 'PASS', evidence: each.alias === 'plant' ? 'no broker answers: connection refused' : 'ends of its logs were read', observed_at: iso(1), age_seconds: 1, observed_by: 'worker-1:8083', remedy: null, explanation: null, affected: { topics: 0, partitions: 0 } }, ...joined(each), as_of: iso(1) }))
}

export function workers() {
  return ['worker-1:8083', 'worker-2:8083', 'worker-3:8083'].map((worker_id, index) => ({
    schema: 'tributary/v1/Worker', worker_id, version: '0.1.0', commit: '4febdf8a1b2c', started_at: iso(86_400 * 2 + index * 4000), leader: index === 0,
    answered: index === 2 ? { check: 'worker-answers', verdict: 'UNKNOWN', evidence: 'no answer for 40 s', observed_at: iso(40), age_seconds: 40 } : { check: 'worker-answers', verdict: 'PASS', evidence: 'answered', observed_at: iso(1), age_seconds: 1 },
    links: 3, tasks: index === 2 ? null : 22, partitions: index === 2 ? null : 1704, cpu_ratio: index === 2 ? null : 0.31, resident_bytes: index === 2 ? null : 184_000_000, buffer: { used_bytes: index === 2 ? null : 21_000_000, limit_bytes: 268_435_456 }, stage: { text: index === 2 ? 'not known' : 'working', since: null }, config_offset: 118, as_of: iso(1),
  }))
}

export function rebalances() {
  return [
    { schema: 'tributary/v1/Rebalance', generation: 15, state: 'scheduled', reason: 'worker-3:8083 left', started_at: null, duration_seconds: null, remaining_seconds: 252, moved: [], moves: 0, unassigned: [{ link: 'orders-dr', task: 6, last_worker: 'worker-3:8083' }, { link: 'orders-dr', task: 7, last_worker: 'worker-3:8083' }] },
    { schema: 'tributary/v1/Rebalance', generation: 14, state: 'done', reason: 'worker-3:8083 joined', started_at: iso(9000), duration_seconds: 0.8, remaining_seconds: null, moved: [{ link: 'orders-dr', task: 6, from: 'worker-1:8083', to: 'worker-3:8083' }], moves: 1, unassigned: [] },
  ]
}

export function activity() {
  const entry = (id, ago, kind, summary, object, user = null, explanation = null) => ({ schema: 'tributary/v1/Activity', id: String(id), at: iso(ago), kind, actor: { user, address: user ? '10.0.4.7' : null, client: user ? 'UI' : 'worker' }, object, summary, diff: null, explanation })
  return [
    entry(9, 320, 'partition', 'audit.sessions-3 became source-recreated', { kind: 'partition', link: 'audit-dr', topic: 'audit.sessions', partition: 3 }, null, EXPLAINED.recreated),
    entry(8, 740, 'state', 'audit-dr is DEGRADED: 1 of 142 topics does not replicate', { kind: 'link', link: 'audit-dr' }, null, EXPLAINED.acl),
    entry(7, 3600, 'action', 'archive was stopped', { kind: 'link', link: 'archive' }, 'mira'),
    entry(6, 9000, 'rebalance', 'worker-3:8083 joined; 1 task moved', { kind: 'worker' }),
    { ...entry(5, 90_000, 'configure', 'orders-dr got another configuration', { kind: 'link', link: 'orders-dr' }, 'mira'), diff: [{ key: 'src.kafka.ssl.key.password', before: '[hidden]', after: '[hidden]' }, { key: 'tasks.max', before: null, after: '8' }, { key: 'topic.regex', before: 'orders.*', after: 'orders.*|payments.*' }] },
  ]
}

/** What a link that there is finds: most of it is as it should be. */
export function previewOfLink(one) {
  const found = preview({ name: one.name, 'topic.regex': 'orders.*|payments.*|customers|prices|web.clicks' })
  for (const row of found.rows.filter((each) => each.decision === 'match')) {
    Object.assign(row, { action: 'exists', settings: [], warnings: [], partitions: { source: 12, destination: 12, planned: 12 } })
    if (one.name !== 'orders-dr') continue
    if (row.topic === 'orders.returns') Object.assign(row, { action: 'create', partitions: { source: 12, destination: null, planned: 12 } })
    if (row.topic === 'payments.settled') Object.assign(row, { action: 'grow', partitions: { source: 12, destination: 6, planned: 12 } })
    if (row.topic === 'customers') Object.assign(row, { action: 'alter', settings: [{ key: 'retention.ms', actual: '86400000', planned: '604800000', why: 'set on the source' }, { key: 'segment.bytes', actual: '1048576', planned: null, why: 'not set on the source' }] })
    if (row.topic === 'prices') row.warnings = [{ id: 'destination-foreign-writes', error: false, text: 'The destination topic has other writers.', fix: 'Choose another name, or stop the other writer.' }]
  }
  found.plan = []
  found.access_rights = one.name === 'orders-dr' ? { create: ['User:app may READ topic orders'], delete: [], keep: [], notes: [] } : null
  return found
}

export function preview(config) {
  const pattern = config['topic.regex'] ?? ''
  let wanted
  try {
    wanted = new RegExp(`^(?:${pattern || '(?!)'})$`)
  } catch {
    wanted = /(?!)/
  }
  const listed = (config['topic.whitelist'] ?? '').split(',').map((name) => name.trim())
  const format = config['topic.rename.format'] ?? '${topic}'
  const rows = [...NAMES, '__consumer_offsets', 'east.orders', 'a-topic-with-a-rather-long-name.that-goes-on.and-on'].map((topic) => {
    const internal = topic.startsWith('__')
    const match = !internal && (wanted.test(topic) || listed.includes(topic))
    const destination = match ? format.replaceAll('${topic}', topic) : null
    const warnings = match && topic === 'prices' ? [{ id: 'foreign-writers', error: false, text: 'The destination topic has other writers.', fix: 'Choose another name, or stop the other writer.' }] : []
    return {
      topic, decision: match ? 'match' : internal ? 'internal' : 'not-matched', rule: match ? 'selected by topic.regex' : '', destination_topic: destination, action: match ? (topic === 'customers' ? 'exists' : 'create') : null,
      partitions: { source: 12, destination: topic === 'customers' && match ? 12 : null, planned: match ? 12 : null }, replication_factor: { planned: match ? 3 : null }, settings: match ? [{ key: 'cleanup.policy', source: 'compact', actual: null, planned: 'compact', why: 'as at the source' }] : [], steps: [], warnings, retained_bytes: match ? 3_400_000_000 : null, offsets: match ? { outlook: topic === 'customers' ? 'mapped' : 'same', padding: 0, reasons: topic === 'customers' ? ['the destination topic holds records already'] : [] } : null,
    }
  })
  const matched = rows.filter((row) => row.decision === 'match')
  return {
    schema: 'tributary/v1/Preview', as_of: iso(0), reading_id: null, link: config.name ?? 'new', rows, notices: [], totals: { topics: rows.length, create: matched.length },
    plan: matched.filter((row) => row.action === 'create').map((row) => ({ step: 'create', object: row.destination_topic, change: '12 partitions, 3 replicas, cleanup.policy=compact', destructive: false })),
    estimate: { retained_bytes: matched.length * 3_400_000_000, retained_bytes_unknown: null, rate_bytes_per_second: 104_857_600, seconds: null, tasks: 4 }, acls: null, access_rights: null,
  }
}

export const EXPLANATIONS = EXPLAINED

/** An hour or a day of it, with a gap where a worker was started anew. */
export function history(one, asked) {
  const now = Math.floor(Date.now() / 1000)
  const from = Number(asked.get('from') ?? now - 3600)
  const step = now - from > 4000 ? 60 : 15
  const points = []
  for (let second = Math.ceil(from / step) * step; second <= now; second += step) {
    const share = (second - from) / (now - from)
    const wave = 1 + Math.sin(share * 12) / 3
    const behind = share > 0.6 ? 40 * (share - 0.6) * wave : 0.4 * wave
    const value = { lag_seconds: behind, lag_records: Math.round(behind * 780), bytes_per_second: 22_020_096 * wave, records_per_second: 18_400 * wave }[asked.get('metric')]
    points.push({ at: new Date(second * 1000).toISOString(), second, value: share > 0.3 && share < 0.33 ? null : value })
  }
  return { schema: 'tributary/v1/History', link: one.name, topic: null, partition: null, metric: asked.get('metric'), step_seconds: step, points, incomplete: [], as_of: iso(0) }
}

/** A link that could run but for one right, or whose source nobody reaches. */
export function preflight(link, broken) {
  const steps = (side, broker, named) => ['DNS', 'TCP', 'TLS', 'API', 'SASL'].map((step) => ({ side, broker, step, result: 'ok', detail: named[step] ?? `${broker.split(' ')[0]} (3.1ms)` }))
  const tls = { TLS: 'CN=central-1, issued by Example CA, until 2027-03-01 (4.0ms)', SASL: 'SCRAM-SHA-512 as User:tributary (8.4ms)' }
  const source = broken
    ? [{ side: 'source', broker: 'plant-1:9092 (bootstrap)', step: 'DNS', result: 'ok', detail: '10.4.0.7 (1.2ms)' }, { side: 'source', broker: 'plant-1:9092 (bootstrap)', step: 'TCP', result: 'NETWORK', detail: 'connection refused; check the address, that a broker listens there, and firewalls between' }, ...['TLS', 'API', 'SASL'].map((step) => ({ side: 'source', broker: 'plant-1:9092 (bootstrap)', step, result: 'skipped (TCP)', detail: '' }))]
    : [...steps('source', 'west-1:9092 (bootstrap)', tls), ...steps('source', 'west-1:9092 (broker 1)', tls), ...steps('source', 'west-2:9092 (broker 2)', tls)]
  return {
    schema: 'tributary/v1/Preflight', link, worker_id: 'worker-1:8083', ready: false, steps: [...source, ...steps('destination', 'central-1:9092 (bootstrap)', tls), ...steps('destination', 'central-1:9092 (broker 1)', tls)],
    rights: [...(broken ? [] : [{ side: 'source', resource: 'topic orders', operation: 'READ', result: 'ok', purpose: 'to copy it' }, { side: 'source', resource: 'topic orders', operation: 'DESCRIBE_CONFIGS', result: 'ok', purpose: 'to compare settings' }]),
      { side: 'destination', resource: 'topic orders', operation: 'WRITE', result: 'ok', purpose: 'to copy it' }, { side: 'destination', resource: 'cluster', operation: 'IDEMPOTENT_WRITE', result: 'ok', purpose: 'to write in order' }, { side: 'destination', resource: 'topic audit.logins', operation: 'WRITE', result: 'missing', purpose: 'to copy it' }],
    commands: ["kafka-acls --bootstrap-server central-1:9092 --add --allow-principal User:tributary --operation Write --topic 'audit.logins'"], notes: [], as_of: iso(0),
  }
}
