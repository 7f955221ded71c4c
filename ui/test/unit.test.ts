// What the pages compute by themselves.
import { describe, expect, it } from 'vitest'
import { readdirSync, readFileSync } from 'node:fs'
import { asPrometheusRule, rulesOf, Watch } from '../src/lib/alerts'
import { deviations } from '../src/lib/drift'
import { bytes, count, duration, plain } from '../src/lib/format'
import { picture } from '../src/lib/layout'
import { kept, taken } from '../src/lib/draft'
import { difference, fromProperties, isReference, joined, looksSecret, meeting, read, spell, toProperties, undone, told } from '../src/lib/spelling'
import { apart, pause } from '../src/lib/resource.svelte'
import { freshState, freshVerdict, partitionTone, topicTone } from '../src/lib/status'
import { untold } from '../src/lib/told.svelte'
import { drawn, note } from '../src/lib/trail'
import { wanted } from '../src/lib/stream.svelte'
import { inSight, matching, ordered, passes, toCsv, type Column } from '../src/lib/table'
import { pieces, STATES } from '../src/lib/states'
import type { Cluster, Link, Preview, Verdict } from '../src/lib/types'

describe('numbers', () => {
  it('unknown is a dash and never a zero', () => {
    expect([count(null), bytes(undefined), duration(null)]).toEqual(['—', '—', '—'])
  })
  it('are short and say their unit', () => {
    expect([count(0), count(999), count(999.9), count(18_400), count(2_910_442)]).toEqual(['0', '999', '1.00 k', '18.4 k', '2.91 M'])
    expect([bytes(1023), bytes(22_020_096)]).toEqual(['1023 B', '21.0 MiB'])
    expect([duration(0.4), duration(59.4), duration(90), duration(11_400)]).toEqual(['0.4 s', '59 s', '1 m 30 s', '3 h 10 m'])
  })
  it('text that hides something shows it', () => {
    expect(plain('a\u202Eb\u0000c')).toBe('a⟨U+202E⟩b␀c')
  })
})

describe('spellings', () => {
  const config = { 'topic.regex': 'orders.*|\\d+', 'x y': ' begins = with: space', empty: '', lines: 'a\nb' }
  it('properties come back as they went, also keys that no form knows', () => {
    expect(fromProperties(toProperties(config))).toEqual(config)
  })
  it('files of Java are read: continued lines, comments, three kinds of separators', () => {
    expect(fromProperties('# c\n! d\na = 1\nb:2\nc 3\nd=one, \\\n   two\ne=\\u0041')).toEqual({ a: '1', b: '2', c: '3', d: 'one, two', e: 'A' })
  })
  it('JSON may be flat or have a name', () => {
    expect(read('{"name":"x","config":{"tasks.max":2}}')).toEqual({ name: 'x', config: { 'tasks.max': '2' }, initialState: null })
    expect(() => read('{"a":{"b":1}}')).toThrow('The value of a')
  })
  it('literal secrets are hidden and references are not', () => {
    const secret = { 'src.kafka.sasl.jaas.config': 'password="x"', 'dest.kafka.ssl.key.password': '${env:KEY}' }
    for (const spelling of ['json', 'properties', 'curl', 'cli', 'terraform', 'helm'] as const) {
      const text = spell(spelling, "it's", secret, 'http://worker:8083')
      expect(text).not.toContain('password="x"')
      expect(text).toContain('[hidden]')
      expect(text).toContain('{env:KEY}')
    }
  })
  it('a difference names both values', () => {
    expect(difference({ a: '1', b: '2' }, { b: '3', c: '4' })).toEqual([{ key: 'a', before: '1', after: null }, { key: 'b', before: '2', after: '3' }, { key: 'c', before: null, after: '4' }])
  })
})

describe('an older configuration', () => {
  it('is what there is, without what was changed since', () => {
    const changes = [[{ key: 'a', before: '2', after: '3' }, { key: 'secret', before: '[hidden]', after: '[hidden]' }], [{ key: 'a', before: '1', after: '2' }, { key: 'b', before: null, after: '1' }, { key: 'c', before: '9', after: null }]]
    expect(undone({ a: '3', b: '1', secret: 'x' }, changes.slice(0, 1))).toEqual({ a: '2', b: '1', secret: 'x' })
    expect(undone({ a: '3', b: '1', secret: 'x' }, changes)).toEqual({ a: '1', c: '9', secret: 'x' })
  })
})

describe('two changes of one configuration', () => {
  const base = { a: '1', b: '1', c: '1', d: '1', e: '1' }
  const theirs = { a: '1', b: '2', c: '2', d: '2', f: '1' }
  const mine = { a: '2', b: '1', c: '2', d: '3', e: '1', g: '1' }
  const rows = meeting(base, theirs, mine)
  it('say of each key whose change it is', () => {
    expect(rows.map(({ key, whose }) => [key, whose])).toEqual([['a', 'mine'], ['b', 'theirs'], ['c', 'same'], ['d', 'both'], ['e', 'theirs'], ['f', 'theirs'], ['g', 'mine']])
  })
  it('are put together without losing one of them', () => {
    expect(joined(rows, theirs, new Set())).toEqual({ a: '2', b: '2', c: '2', d: '2', f: '1', g: '1' })
    expect(joined(rows, theirs, new Set(['d'])).d).toBe('3')
  })
})

describe('states', () => {
  it('every page of docs/errors says what, why and what to do', () => {
    const pages = readdirSync('../docs/errors').filter((name) => name !== 'README.md').map((name) => name.replace('.md', ''))
    expect(STATES.map((state) => state.name)).toEqual(pages.sort((left, right) => left.localeCompare(right)))
  })
  it('code is told from text', () => {
    expect(pieces('do `this`, then that')).toEqual([{ text: 'do ', code: false }, { text: 'this', code: true }, { text: ', then that', code: false }])
  })
})

describe('trails', () => {
  it('a reading is taken once, and a gap stays a gap', () => {
    expect(note('x', 1, 1000)).toEqual(note('x', 5, 1000))
    expect(note('x', 3, 5000).length).toBe(2)
    expect(note('x', 4, 60_000).map((each) => each.value)).toEqual([1, 3, null, 4])
    expect(drawn(note('x', 2, 64_000), 100, 20).line.split('M').length).toBe(3)
    expect(drawn([], 100, 20).line).toBe('')
  })
})

describe('evidence', () => {
  const row = (seconds: number, state: string, state_class = 'active') => ({ as_of: new Date(Date.now() - seconds * 1000).toISOString(), state, state_class })
  it('a state whose evidence is too old is unknown, whatever it was', () => {
    expect([freshState(row(1, 'replicating')), freshState(row(30, 'replicating')), freshState(row(30, 'source-gap'))]).toEqual(['replicating', 'unknown', 'unknown'])
    expect([topicTone(row(1, 'replicating')), topicTone(row(30, 'replicating')), topicTone(row(1, 'unassigned', 'neutral'))]).toEqual(['ok', 'unknown', 'unknown'])
    expect([partitionTone('active'), partitionTone('source-unknown'), partitionTone('source-gap')]).toEqual(['ok', 'unknown', 'fail'])
  })
})

describe('verdicts', () => {
  const found = (check: string, seconds: number) => ({ check, verdict: 'PASS', observed_at: new Date(Date.now() - seconds * 1000).toISOString(), age_seconds: seconds }) as Verdict
  const shown = (check: string, seconds: number, received = 0) => freshVerdict(found(check, seconds), Date.now() - received * 1000)
  it('say nothing any more after twenty seconds, whichever side they are of and whatever they are called', () => {
    for (const check of ['source-reachable', 'destination-reachable', 'worker-answers', 'workers-answer', 'reachable', 'a-check-of-tomorrow']) expect([check, shown(check, 15), shown(check, 25)]).toEqual([check, 'PASS', 'UNKNOWN'])
  })
  it('of what is done once in a while say nothing any more when their worker has not said so lately', () => {
    expect([shown('topics-sync', 40), shown('topics-sync', 40, 25)]).toEqual(['PASS', 'UNKNOWN'])
  })
})

describe('drafts', () => {
  const isSecret = (key: string) => key === 'secret' || key === 'other'
  const base = { a: '1', b: '1', secret: 'hunter2', other: '${env:X}' }
  const text = kept({ name: 'n', version: 'v1', base, config: { a: '2', secret: 'hunter2', other: 'typed' } }, isSecret)
  it('hold no secret', () => {
    expect(text).not.toMatch(/hunter2|typed/)
    expect(text).toContain('${env:X}')
  })
  it('come back with what they began from, and with the secrets that are stored', () => {
    expect(taken(text, base)).toEqual({ name: 'n', version: 'v1', base, config: { a: '2', secret: 'hunter2', other: '${env:X}' } })
    // What others have made of a secret meanwhile is neither mine nor a difference.
    expect(taken(text, { ...base, secret: 'new' })).toMatchObject({ base: { secret: 'new' }, config: { secret: 'new' } })
  })
  it('that do not say what they began from are none', () => {
    expect(taken(null, base)).toBeNull()
    expect(taken('{"name":"n","config":{"a":"2"}}', base)).toBeNull()
    expect(taken(kept({ name: 'n', version: null, base: null, config: { a: '2', secret: 's' } }, isSecret), null)).toEqual({ name: 'n', version: null, base: null, config: { a: '2' } })
  })
})

describe('tables', () => {
  const columns: Column<{ name: string; lag: number | null }>[] = [
    { id: 'name', title: '', value: (row) => row.name, width: 1 }, { id: 'lag', title: '', value: (row) => row.lag, width: 1 },
  ]
  const rows = [{ name: 'a', lag: null }, { name: '=b', lag: 2 }, { name: 'c,"', lag: 10 }]
  it('what is not known stands last, whichever way', () => {
    expect(ordered(rows, columns[1], true).map((row) => row.lag)).toEqual([10, 2, null])
    expect(ordered(rows, columns[1], false).map((row) => row.lag)).toEqual([2, 10, null])
  })
  it('names are ordered by their numbers', () => {
    expect(ordered(['t-10', 't-9', 'a'].map((name) => ({ name, lag: 0 })), columns[0], false).map((row) => row.name)).toEqual(['a', 't-9', 't-10'])
  })
  it('rows in sight come in steps, so that scrolling by a row makes nothing anew', () => {
    expect(inSight(0, 600, 36, 5000)).toEqual([0, 24])
    expect(inSight(35, 600, 36, 5000)).toEqual([0, 24])
    const [first, last] = inSight(36 * 1000, 600, 36, 5000)
    expect([first <= 996, last >= 1000 + 17 + 4, last - first < 50]).toEqual([true, true, true])
    expect(inSight(36 * 4990, 600, 36, 5000)[1]).toBe(5000)
    expect(inSight(0, 600, 36, 0)).toEqual([0, 0])
  })
  it('a column is asked for a part of a text, or for more and less than a number', () => {
    expect(['rd', '=orders', '=ord', '>a', 'x'].map((filter) => passes('Orders', filter))).toEqual([true, true, false, false, false])
    expect(['>5', '>= 10', '<10', '<=10', '=10', '=1', '1', '>', '>x'].map((filter) => passes(10, filter))).toEqual([true, true, false, true, true, false, true, true, false])
    expect(['>5', '<5', '=', ''].map((filter) => passes(null, filter))).toEqual([false, false, true, true])
    expect(matching(rows, columns, '', {}, { name: 'c', lag: '>2' }).map((row) => row.name)).toEqual(['c,"'])
  })
  it('CSV parses, and no cell is a formula', () => {
    expect(toCsv(rows, columns)).toBe('name,lag\r\na,\r\n\'=b,2\r\n"c,""",10\r\n')
  })
})

describe('the map', () => {
  const link = (name: string, from: string, to: string) => ({ name, source: { alias: from, cluster_id: from, bootstrap: '' }, destination: { alias: to, cluster_id: to, bootstrap: '' } }) as unknown as Link
  it('a cluster is one node, links of a pair are one edge, and circles end', () => {
    const drawn = picture([link('1', 'a', 'b'), link('2', 'a', 'b'), link('3', 'b', 'a'), link('4', 'b', 'c')], 900)
    expect(drawn.nodes.map((node) => node.id).sort()).toEqual(['a', 'b', 'c'])
    expect(drawn.edges.map((edge) => edge.links.length).sort()).toEqual([1, 1, 2])
  })
  it('a bundle is unfolded link by link, and clusters stay where they are', () => {
    const links = [link('1', 'a', 'b'), link('2', 'a', 'b'), link('3', 'a', 'b'), link('4', 'b', 'a')]
    const [folded, open] = [picture(links, 900), picture(links, 900, 'a~b')]
    expect(folded.edges.map((edge) => edge.links.length).sort()).toEqual([1, 3])
    expect(open.edges.map((edge) => edge.links.map(({ name }) => name))).toEqual([['1'], ['2'], ['3'], ['4']])
    expect(new Set(open.edges.map((edge) => edge.path)).size).toBe(4)
    expect(open.nodes.map(({ id, x }) => [id, x])).toEqual(folded.nodes.map(({ id, x }) => [id, x]))
    const many = Array.from({ length: 20 }, (_, index) => link(String(index), 'a', 'b'))
    expect(picture(many, 900, 'a~b').edges).toHaveLength(1)
  })
  it('a link that has not come so far means the cluster that another has found at the same address', () => {
    const found = { ...link('1', 'a', 'b'), destination: { alias: null, cluster_id: 'b', bootstrap: 'b-1:9092,b-2:9092' } } as unknown as Link
    const failing = { ...link('2', 'c', 'b'), destination: { alias: null, cluster_id: null, bootstrap: 'b-2:9092' } } as unknown as Link
    expect(picture([found, failing], 900).nodes.map((node) => node.id).sort()).toEqual(['a', 'b', 'c'])
  })
  it('what many flow into stands right of them', () => {
    const drawn = picture([link('1', 'west', 'central'), link('2', 'east', 'central'), link('3', 'central', 'west')], 900)
    const x = (id: string) => drawn.nodes.find((node) => node.id === id)?.x ?? 0
    expect(x('central')).toBeGreaterThan(x('west'))
    expect(x('west')).toBe(x('east'))
  })
})

describe('the stream', () => {
  const listener = (link: string | null, ...channels: string[]) => ({ channels: new Set(channels), link })
  it('is asked for what somebody listens to, and for one link where all listen to it', () => {
    expect(wanted([listener('a', 'links', 'tasks'), listener('a', 'topics')], true)).toBe('channels=links%2Ctasks%2Ctopics&link=a')
    expect(wanted([listener('a', 'links'), listener(null, 'workers')], true)).toBe('channels=links%2Cworkers')
  })
  it('is asked for nothing where nobody looks', () => {
    expect(wanted([listener(null, 'links')], false)).toBe('channels=none')
    expect(wanted([], true)).toBe('channels=none')
  })
  it('leads to a reading a second at most, to fewer where each takes long, and to one before evidence is old', () => {
    expect([apart(5), apart(100), apart(3000)]).toEqual([1000, 6000, 8000])
    expect([pause(5, 20), pause(5, 120), pause(8, 900), pause(30, 900)]).toEqual([5000, 7200, 15_000, 30_000])
  })
})

describe('alerts', () => {
  const text = readFileSync('../ops/prometheus/tributary.rules.yml', 'utf8')
  const rules = rulesOf(text)
  const now = Date.now()
  const link = (more: object) => ({
    name: 'a', as_of: new Date(now).toISOString(), connect_state: 'RUNNING', health: 'HEALTHY', health_reason: '', tasks: { total: 1, failed: 0 }, partitions: { by_state: { active: 3 } },
    lag: { known: true, records: 0, seconds: 0, as_of: new Date(now).toISOString() }, catch_up: { converging: null, records_per_second: null }, ...more,
  }) as unknown as Link
  const facts = (links: Link[]) => ({ links, clusters: [] as Cluster[], clustersAt: null, rebalances: [] })
  const state = (links: Link[], name: string, watch = new Watch(), at = now) => watch.judge(rules, facts(links), at).filter((alert) => alert.rule.name === name).map((alert) => alert.state)
  it('every rule of the file is read, whole', () => {
    expect(rules.length).toBe(text.match(/^ {6}- alert:/gm)?.length)
    expect(rules.filter((rule) => rule.expression === '' || rule.summary === '')).toEqual([])
    expect(rules.find((rule) => rule.name === 'TributaryNothingReplicated')).toMatchObject({ severity: 'critical', holds: 600 })
    expect(asPrometheusRule(text)).toContain('\n  groups:\n    - name: tributary-recording\n')
  })
  it('fire when their condition has held for their time, and begin anew when it has ended', () => {
    const watch = new Watch()
    const failed = [link({ tasks: { total: 1, failed: 1 } })]
    expect(state(failed, 'TributaryTaskFailed', watch)).toEqual(['pending'])
    expect(state(failed, 'TributaryTaskFailed', watch, now + 119_000)).toEqual(['pending'])
    expect(state(failed, 'TributaryTaskFailed', watch, now + 120_000)).toEqual(['firing'])
    expect(state([link({})], 'TributaryTaskFailed', watch, now + 121_000)).toEqual(['inactive'])
    expect(state(failed, 'TributaryTaskFailed', watch, now + 122_000)).toEqual(['pending'])
  })
  it('what is not known is never inactive, and what needs values over time is not judged', () => {
    const old = new Date(now - 60_000).toISOString()
    expect(state([link({ as_of: old })], 'TributaryTaskFailed')).toEqual(['unknown'])
    expect(state([link({ lag: { known: false, records: 1, seconds: 3, as_of: old } })], 'TributaryLagHigh')).toEqual(['unknown'])
    expect(state([link({ lag: { known: false, records: 1, seconds: 300, as_of: old } })], 'TributaryLagHigh')).toEqual(['pending'])
    expect(state([link({})], 'TributaryDataLost')).toEqual(['not judged here'])
  })
  it('a partition that stands is told whatever its state is called', () => {
    for (const its of ['refused', 'source-gap', 'a-state-of-tomorrow']) expect(state([link({ partitions: { by_state: { [its]: 1 } } })], 'TributaryPartitionStopped')).toEqual(['pending'])
    for (const its of ['retrying', 'end-unknown', 'stalled']) expect(state([link({ partitions: { by_state: { [its]: 1 } } })], 'TributaryPartitionStopped')).toEqual(['inactive'])
  })
})

describe('drift', () => {
  const row = (more: object) => ({ topic: 't', decision: 'match', destination_topic: 'x.t', action: 'exists', partitions: { source: 2, destination: 2, planned: 2 }, settings: [], warnings: [], ...more })
  const kinds = (rows: object[], rights: object | null = null) => deviations('a', { rows, access_rights: rights } as unknown as Preview).map((one) => `${one.kind} ${one.property ?? one.object}`)
  it('a copy as it should be has none, and topics that are not copied neither', () => {
    expect(kinds([row({}), row({ decision: 'excluded', action: null })])).toEqual([])
  })
  it('is what the link would make, grow or set', () => {
    const setting = { key: 'retention.ms', planned: '1', actual: '2', why: 'set on the source' }
    expect(kinds([row({ action: 'create', settings: [setting] }), row({ action: 'grow', partitions: { source: 4, destination: 2, planned: 4 }, settings: [setting] }), row({ action: 'alter', settings: [setting] })]))
      .toEqual(['topic x.t', 'partitions partitions', 'setting retention.ms', 'setting retention.ms'])
  })
  it('what blocks a topic and what cannot be read are told', () => {
    expect(kinds([row({ decision: 'unreadable', action: 'error' }), row({ decision: 'name-collision', action: 'error', warnings: [{ id: 'name-collision', error: true, text: '', fix: '' }] })])).toEqual(['not comparable x.t', 'blocked name-collision'])
    expect(kinds([], { unknown: 'no right' })).toEqual(['not comparable access rights'])
    expect(kinds([], { create: ['r'], delete: [], keep: ['s'], notes: [] })).toEqual(['access right r', 'access right s'])
  })
})

it('in a table of changes a secret is hidden, also beside a reference, and a reference alone is not', () => {
  expect(told(null, true)).toBe('not set')
  expect(told('', true)).toBe('empty')
  expect(told('hunter2', true)).toBe('[hidden]')
  expect(told('${env:A}', true)).toBe('${env:A}')
  expect(told('${env:A}hunter2', true)).toBe('[hidden]')
  expect(told('orders.*', false)).toBe('orders.*')
})

it('a reference is what is made of variables alone, as the worker reads them', () => {
  expect(['${env:A}', ' ${file:/x:y} ', '${env:A}${env:B}', '${env:A}b', 'a${env:A}', '${topic}', '${topic}${env:A}', ''].map(isReference)).toEqual([true, true, true, false, false, false, false, false])
  expect(['src.kafka.ssl.key.password', 'sasl.jaas.config', 'basic.auth.credentials', 'aws.access_key', 'x.apikey', 'ssl.keystore.location', 'topic.regex', 'tasks.max', 'monkey'].map(looksSecret)).toEqual([true, true, true, true, true, false, false, false, false])
})

it('a screen repeats nothing of who does not answer, and tells what it lacks beyond that', () => {
  const missing = (worker_id: string, partitions: number) => ({ worker_id, partitions, reason: '' })
  expect(untold([missing('a', 3), missing('b', 1), missing('c', 2)], [missing('a', 3), missing('b', 9)]).map(({ worker_id }) => worker_id)).toEqual(['b', 'c'])
})
