// A worker that is none: serves dist/ and made-up answers. `npm run mock [scenario] [port]`; for development and the browser test only.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as data from './data.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const DIST = join(here, '..', 'dist')
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' }
/** The same as the worker's, so that what it forbids is seen here first. */
const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"

/** `normal`, `empty`, `bare` (one link that has done nothing yet), `failing`, `loading`, `stale`, `large`, `viewer`, `password`. */
export function createMock(scenario) {
  const created = new Map()
  const streams = new Set()
  const validation = readFile(join(here, 'validate.json'), 'utf8').then(JSON.parse)
  const requests = []
  const nothing = scenario === 'empty' || scenario === 'bare'
  let failing = scenario === 'failing'
  /** What somebody else has stored meanwhile, by link. */
  const changed = new Map()
  /** What was stored here, and for which version. */
  const stored = []
  /** What the event stream was asked for. */
  const heard = []

  const missing = scenario === 'stale' ? [{ worker_id: 'worker-3:8083', reason: 'no answer within 2 s', partitions: 212 }] : []

  const json = (response, body, status = 200) => {
    response.writeHead(status, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(body))
  }
  const list = (response, url, items) => {
    const limit = Math.min(1000, Number(url.searchParams.get('limit') ?? 100))
    const begin = Number(url.searchParams.get('cursor') ?? 0)
    const sort = /^-lag_(\w+)$/.exec(url.searchParams.get('sort') ?? '')
    // What is not known stands where the largest stands.
    if (sort) items = [...items].sort((left, right) => (right.lag[sort[1]] ?? Infinity) - (left.lag[sort[1]] ?? Infinity))
    const by = /^-(\w+_per_second)$/.exec(url.searchParams.get('sort') ?? '')
    if (by) items = [...items].sort((left, right) => right[by[1]] - left[by[1]])
    const next = begin + limit < items.length ? String(begin + limit) : null
    json(response, { schema: 'tributary/v1/List', items: items.slice(begin, begin + limit), total: items.length, next_cursor: next, as_of: data.iso(0), incomplete: missing })
  }
  const links = () => [...data.links(scenario).map((each) => (changed.has(each.name) ? { ...each, config_version: 'd4e5f6' } : each)), ...[...created].map(([name, config]) => ({ ...data.links('normal')[0], name, naming: { format: config['topic.rename.format'] ?? '${topic}', example: null } }))]

  async function api(path, url, request, response, body) {
    const part = path.split('/').slice(3).map(decodeURIComponent)
    const one = part[0] === 'links' && part[1] ? links().find((each) => each.name === part[1].replace(/:refresh$/, '')) : null
    if (part[0] === 'links' && part[1] && !one) return json(response, { error_code: 404, message: `Link ${part[1]} not found` }, 404)
    switch ([part[0], ...part.slice(2, 3), ...part.slice(4, 5)].join('/')) {
      case 'info': return json(response, { schema: 'tributary/v1/Info', worker_id: 'worker-1:8083', version: '0.1.0', commit: '4febdf8', group: 'replication', mode: 'distributed', features: ['links', 'preview', 'explain', 'events', 'activity', 'resume'], as_of: data.iso(0) })
      case 'whoami': return json(response, scenario === 'viewer' ? { user: 'vera', role: 'viewer', authentication: 'basic' } : { user: scenario === 'password' ? 'mira' : null, role: 'admin', authentication: 'none' })
      case 'overview': return json(response, { schema: 'tributary/v1/Overview', group: 'replication', workers: nothing ? { total: 1, answered: 1, leader: 'worker-1:8083' } : { total: 3, answered: 2, leader: 'worker-1:8083' }, rebalance: nothing ? null : data.rebalances()[0], clusters: nothing || scenario === 'large' ? [] : data.clusterList(), links: scenario === 'large' ? links().slice(0, 60) : links(), tiles: {}, attention: links().slice(0, 60).flatMap((each) => each.attention), incomplete: missing, as_of: data.iso(0) })
      case 'links': return part[1] ? json(response, request.method === 'POST' ? { schema: 'tributary/v1/Result' } : one) : list(response, url, links())
      case 'links/health': return json(response, { schema: 'tributary/v1/LinkHealth', link: one.name, health: one.health, health_reason: one.health_reason, checks: one.health === 'STOPPED' ? [] : data.checks(one), as_of: data.iso(1) })
      case 'links/topics': return list(response, url, nothing ? [] : data.topics(scenario, one))
      case 'links/topics/partitions': return list(response, url, Array.from({ length: scenario === 'large' ? 20_000 : 12 }, (_, number) => data.partition(one, part[3], number)))
      case 'links/partitions': return list(response, url, nothing ? [] : data.partitions(scenario, one))
      case 'links/history': return json(response, { ...data.history(one, url.searchParams), ...(nothing ? { points: [] } : {}) })
      case 'links/tasks': return list(response, url, nothing ? [] : data.tasks(one))
      case 'links/config': return json(response, { schema: 'tributary/v1/LinkConfig', config_version: 'a1b2c3', rows: [
        { key: 'topic.regex', value: 'orders.*|payments', status: 'set', meaning: 'Java regular expression; topics whose whole name matches are copied', origin: 'connector orders-dr' },
        { key: 'src.kafka.sasl.jaas.config', value: '[hidden] 1f8ac10f', status: 'set', meaning: 'login module with its options', origin: 'connector orders-dr' },
        { key: 'topic.poll.interval.ms', value: '120000', status: 'default', meaning: 'period of the scan for new topics and partitions', origin: null },
        { key: 'tributary.health.lag.seconds', value: '60', status: 'default', meaning: 'lag from which a link counts as degraded', origin: null },
        { key: 'confluent.license', value: null, status: 'ignored', meaning: 'licence key', origin: 'connector orders-dr' },
      ], problems: [], notices: ['confluent.license is accepted without effect'], as_of: data.iso(0) })
      case 'topics': return list(response, url, links().slice(0, scenario === 'large' ? 4 : 9).filter((each) => each.health !== 'STOPPED').flatMap((each) => data.topics(scenario, each)).filter((row) => row.topic.includes(url.searchParams.get('q') ?? '')))
      case 'clusters': return list(response, url, nothing ? [] : data.clusterList())
      case 'workers': return list(response, url, nothing ? data.workers().slice(0, 1).map((each) => ({ ...each, links: 0, tasks: 0, partitions: 0 })) : data.workers())
      case 'rebalances': return list(response, url, nothing ? [] : data.rebalances())
      case 'activity': return list(response, url, nothing ? [] : data.activity().filter((each) => !url.searchParams.get('link') || each.object.link === url.searchParams.get('link')))
      case 'preview': {
        if (body.link) {
          const named = links().find((each) => each.name === body.link)
          if (!named) return json(response, { error_code: 404, message: `Link ${body.link} not found` }, 404)
          if (named.health === 'FAILED') return json(response, { error_code: 400, message: 'source plant-1:9092 cannot be reached: connection refused', explanation: { ...data.EXPLANATIONS.acl, title: 'The source cannot be reached', cause: 'Nothing listens at this address.', side: 'source', fix: ['Check the address and whether the broker runs.'], commands: [], matched_text: null } }, 400)
          return json(response, nothing ? { ...data.previewOfLink(named), rows: [], notices: [], access_rights: null } : data.previewOfLink(named))
        }
        const config = body.config ?? { 'topic.regex': 'orders.*|payments.*|customers|prices' }
        if (/unreachable/.test(config['src.kafka.bootstrap.servers'] ?? '')) return json(response, { error_code: 400, message: 'source unreachable:9092: the name is not known', explanation: { ...data.EXPLANATIONS.acl, title: 'The source cannot be reached', cause: 'Its name cannot be resolved on this worker.', side: 'source', fix: ['Check the address.'], commands: [] } }, 400)
        return json(response, data.preview(config))
      }
      case 'preflight': return json(response, data.preflight(body.link ?? body.config?.name ?? 'new', body.link === 'telemetry' || /unreachable/.test(body.config?.['src.kafka.bootstrap.servers'] ?? '')))
      case 'explain': return list(response, url, request.method === 'GET' ? Object.values(data.EXPLANATIONS) : /authoriz/i.test(body.text) ? [data.EXPLANATIONS.acl] : [])
      case 'events': {
        heard.push(url.search)
        response.writeHead(200, { 'Content-Type': 'text/event-stream' })
        response.write(': here\n\n')
        streams.add(response)
        const timer = setInterval(() => response.write(`id: ${Date.now()}\nevent: link\ndata: {}\n\n`), 2000)
        response.on('close', () => { clearInterval(timer); streams.delete(response) })
        return undefined
      }
      default: return json(response, { error_code: 404, message: 'HTTP 404 Not Found' }, 404)
    }
  }

  async function connect(path, url, request, response, body) {
    const part = path.split('/').slice(1).map(decodeURIComponent)
    if (scenario === 'viewer' && request.method !== 'GET') return json(response, { error_code: 403, message: 'you may look and change nothing: your role is viewer' }, 403)
    if (part[0] === 'connector-plugins') {
      if (part.length === 1) return json(response, ['io.confluent.connect.replicator.ReplicatorSourceConnector', 'tributary.TributarySourceConnector'].map((name) => ({ class: name, type: 'source', version: '0.1.0' })))
      const answer = structuredClone(await validation)
      answer.error_count = 0
      for (const { definition, value } of answer.configs) {
        value.value = body[definition.name] ?? definition.default_value
        value.errors = []
        const servers = /^(src|dest)\.kafka\.bootstrap\.servers$/.test(definition.name)
        if ((definition.name === 'name' || servers) && !body[definition.name]) value.errors.push(`Missing required configuration "${definition.name}" which has no default value.`)
        if (definition.name === 'topic.regex' && /^\*/.test(body[definition.name] ?? '')) value.errors.push('Invalid value * for configuration topic.regex: nothing to repeat')
        answer.error_count += value.errors.length
      }
      return json(response, answer)
    }
    if (part[0] === 'admin') return json(response, { replication: { level: 'INFO', last_modified: null }, 'kafka_client': { level: 'WARN', last_modified: null } })
    if (part.length === 1 && request.method === 'POST') {
      if (links().some((each) => each.name === body.name)) return json(response, { error_code: 409, message: `Connector ${body.name} already exists` }, 409)
      created.set(body.name, body.config)
      return json(response, { name: body.name, config: body.config, tasks: [], type: 'source' }, 201)
    }
    const status = (each) => ({ name: each.name, connector: { state: each.connect_state, worker_id: 'worker-1:8083' }, tasks: data.tasks(each).map((task) => ({ id: task.task, state: task.state, worker_id: task.worker_id, ...(task.trace ? { trace: task.trace } : {}) })), type: 'source' })
    const config = (each) => created.get(each.name) ?? changed.get(each.name) ?? { 'connector.class': 'tributary.TributarySourceConnector', 'src.kafka.bootstrap.servers': each.source.bootstrap, 'dest.kafka.bootstrap.servers': each.destination.bootstrap, 'topic.regex': 'orders.*|payments.*', 'topic.rename.format': 'west.${topic}', 'src.kafka.sasl.jaas.config': '${env:SOURCE_JAAS}', name: each.name }
    if (part.length === 1) return json(response, Object.fromEntries(links().map((each) => [each.name, { status: status(each), info: { name: each.name, config: config(each), tasks: [], type: 'source' } }])))
    const one = links().find((each) => each.name === part[1])
    if (!one) return json(response, { error_code: 404, message: `Connector ${part[1]} not found` }, 404)
    const wanted = request.headers['if-match']
    if (request.method === 'PUT' && part[2] === 'config' && wanted && wanted !== `"${one.config_version}"`) return json(response, { error_code: 412, message: `somebody has changed ${one.name} meanwhile: its configuration is of version ${one.config_version} now; look at the difference and try again` }, 412)
    if (request.method === 'PUT' && part[2] === 'config') stored.push({ name: one.name, version: wanted ?? null, servers: body['src.kafka.bootstrap.servers'], regex: body['topic.regex'] })
    if (request.method !== 'GET') return json(response, {}, 202)
    switch (part[2]) {
      case 'status': return json(response, status(one))
      case 'config': return json(response, config(one))
      case 'tasks': return json(response, data.tasks(one).map((task) => ({ id: { connector: one.name, task: task.task }, config: { 'task.id': `${one.name}-${task.task}`, 'tributary.task.partitions': 'orders:0-3;orders.lines:4', 'src.kafka.sasl.jaas.config': 'password="hunter2"' } })))
      case 'topics': return json(response, { [one.name]: { topics: nothing ? [] : ['west.orders', 'west.payments'] } })
      case 'offsets': return json(response, { offsets: nothing ? [] : [{ partition: { topic: 'orders', partition: 0 }, offset: { offset: 4812000 } }] })
      default: return json(response, { error_code: 404, message: 'HTTP 404 Not Found' }, 404)
    }
  }

  async function file(path, response) {
    const name = normalize(path.slice('/ui/'.length))
    const asset = name.startsWith('assets') || name === 'icon.svg'
    const text = await readFile(join(DIST, asset ? name : 'index.html')).catch(() => null)
    if (text === null) return json(response, { error_code: 404, message: 'HTTP 404 Not Found' }, 404)
    response.writeHead(200, { 'Content-Type': TYPES[extname(asset ? name : '.html')] ?? TYPES['.html'], 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' })
    response.end(text)
    return undefined
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://mock')
    const path = url.pathname
    requests.push(`${request.method} ${path}`)
    let text = ''
    for await (const chunk of request) text += chunk
    const body = text ? JSON.parse(text) : {}
    if (path === '/ui' || path === '/') return response.writeHead(302, { Location: '/ui/' }).end()
    if (path.startsWith('/ui/')) return file(path, response)
    if (scenario === 'loading') return undefined
    if (scenario === 'password' && request.headers.authorization !== `Basic ${btoa('mira:secret')}`) return json(response, { error_code: 401, message: 'this worker answers only to those it knows: send Basic or Bearer credentials' }, 401)
    if (failing) return json(response, { error_code: 503, message: 'reading to the end of the config topic; it began 3 s ago' }, 503)
    return path.startsWith('/api/v1/') ? api(path, url, request, response, body) : connect(path, url, request, response, body)
  })
  return {
    requests,
    stored,
    heard,
    listen: (port = 0) => new Promise((resolve) => { server.listen(port, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)) }),
    /** Somebody else stores this. */
    change: (name, config) => changed.set(name, config),
    /** From now on nothing but an error is answered. */
    fail: () => { failing = true },
    /** Cuts everything: what a worker that is gone looks like. */
    close: () => { for (const stream of streams) stream.destroy(); server.closeAllConnections(); server.close() },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const address = await createMock(process.argv[2] ?? 'normal').listen(Number(process.argv[3] ?? 8099))
  process.stdout.write(`${address}/ui/\n`)
}
