// The first link of a person, in a real browser against a real worker and real clusters. `cargo xtask ui --live` starts all of it:
// `node test/worker.mjs '{"worker", "source", "destination", "guarded", "pictures", "only", "judged"}'`, with topics `orders` and
// `orders.lines` at the source. What has to happen to the clusters is asked for on lines that begin with `! `, and answered by a line
// when it has happened. Numbers on the page are compared with what librdkafka reads from the clusters themselves (`! ends source`).
//
// Each part begins with a healthy link and leaves one. One that fails is told with what the page showed, its faults are taken back,
// and the others run all the same; `only` names parts, between commas.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'
import { firstLoad } from './measure.mjs'

const { worker, source, destination, guarded, pictures, only, judged } = JSON.parse(process.argv[2] ?? '{}')
assert.ok(worker && source && destination && guarded, 'usage: node test/worker.mjs \'{"worker": …, "source": …, "destination": …, "guarded": …}\'')
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const happens = async (what) => {
  process.stdout.write(`! ${what}\n`)
  const { value, done } = await answers.next()
  assert.ok(!done && value.startsWith('done'), `${what}: ${value}`)
  return value.slice('done '.length)
}
/** First and end offset of each partition of each topic, as an independent client reads them. */
const ends = async (side) => JSON.parse(await happens(`ends ${side}`))
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const page = await (await browser.newContext({ viewport: { width: 1280, height: 860 } })).newPage()
const problems = []
page.on('pageerror', (error) => problems.push(error.message))
// A form that was left with changes asks; a part that failed leaves one.
page.on('dialog', (dialog) => dialog.accept())
page.on('console', (message) => { if (/Content Security Policy|Refused/.test(message.text())) problems.push(message.text()) })
const began = performance.now()
const since = (then) => `${((performance.now() - then) / 1000).toFixed(1)} s`
/** What is told stands after the time since the begin. */
const tell = (text) => process.stdout.write(`   ${since(began).padStart(7)}  ${text}\n`)
const step = async (name) => {
  if (pictures) await page.screenshot({ path: `${pictures}/worker-${name}.png` })
  tell(name)
}
const name = `browser-${Date.now() % 100000}`
const field = (key) => page.getByRole('textbox', { name: key }).first()
const next = (label) => page.getByRole('button', { name: `Next: ${label}` }).click()
const address = `${worker}/ui/links/${name}`
const banner = page.locator('.banner')
const listed = page.locator('tr[data-row]', { hasText: name })
const isHealthy = (timeout = 60_000) => banner.getByText('Healthy', { exact: true }).waitFor({ timeout })

/** What the table of partitions shows, by partition; exact numbers, and null where none is known. */
const shown = () => {
  const table = document.querySelector('section[aria-label="partitions"] table')
  if (!table) return null
  const heads = [...table.querySelectorAll('thead th')].map((each) => each.textContent.replace(/[ ↓↑]+$/, '').trim())
  const number = (text) => (/^\d+$/.test(text.replaceAll('\u2009', '')) ? Number(text.replaceAll('\u2009', '')) : null)
  const rows = [...table.querySelectorAll('tbody tr[data-row]')].map((row) => Object.fromEntries([...row.querySelectorAll('td')].map((cell, index) => [heads[index], number(cell.textContent.trim())])))
  return rows.sort((left, right) => left.Partition - right.Partition)
}
/** What a row shows in a column. */
async function cellOf(row, title) {
  const heads = (await page.locator('thead th').allInnerTexts()).map((text) => text.replace(/[ ↓↑]+$/, '').trim())
  assert.ok(heads.includes(title), `${heads} has ${title}`)
  return (await row.locator('td').nth(heads.indexOf(title)).innerText()).trim()
}
/** Seconds until something is seen; the page is not loaded anew meanwhile. */
async function seen(what, limit, until) {
  const began = performance.now()
  await until(limit * 1000)
  const took = (performance.now() - began) / 1000
  tell(`${what} after ${took.toFixed(1)} s`)
  return took
}
/** Waits until the page shows for every partition what librdkafka has read; how long that took, from its reading on. */
async function equalsJudge(topic, limit, copied = true) {
  await page.goto(`${address}/topics?topic=${topic}`)
  const [source, destination] = [await ends('source'), await ends('destination')]
  const began = performance.now()
  const expected = source[topic].map(([, end], partition) => {
    const copy = destination[`${name}.${topic}`][partition][1]
    return { Partition: partition, 'Source end': end, Acknowledged: copied ? end : copy, 'Destination end': copied ? copy : null, 'Lag rec.': copied ? 0 : end - copy }
  })
  const equal = (rows) => rows?.length === expected.length && rows.every((row, index) => Object.entries(expected[index]).every(([name, value]) => value === null || row[name] === value))
  for (let rows = null; !equal(rows); rows = await page.evaluate(shown)) {
    assert.ok(performance.now() - began < limit, `${topic}: the page shows ${JSON.stringify(rows)}, librdkafka reads ${JSON.stringify(expected)}`)
    await page.waitForTimeout(100)
  }
  tell(`${topic}: ${expected.length} partitions equal to librdkafka after ${since(began)} (ends ${expected.map((each) => each['Source end']).join(', ')}; lag ${expected.map((each) => each['Lag rec.']).join(', ')})`)
}

/** What the worker answers a program: status and document. */
async function asked(path, method = 'GET', body = null) {
  const answer = await fetch(worker + path, { method, ...(body ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {}) })
  const text = await answer.text()
  return { status: answer.status, body: text ? JSON.parse(text) : null }
}
const items = async (what) => (await asked(`/api/v1/links/${name}/${what}`)).body.items
/** The link, made without the page where no part has made it. */
async function exists() {
  const path = `/connectors/${name}`
  if ((await asked(path)).status !== 404) return
  const config = { name, 'connector.class': 'tributary.TributarySourceConnector', 'src.kafka.bootstrap.servers': source, 'dest.kafka.bootstrap.servers': destination, 'topic.regex': 'orders.*', 'topic.rename.format': `${name}.\${topic}`, 'tasks.max': '4' }
  let made = null
  // A group that begins has no leader for a moment.
  for (const until = performance.now() + 30_000; made === null || (made.status === 409 && performance.now() < until); await page.waitForTimeout(500)) made = await asked(`${path}/config`, 'PUT', config)
  assert.equal(made.status, 201, JSON.stringify(made.body))
}
/** Brings about what most parts begin with: a link that runs and is healthy. */
async function healthy() {
  await exists()
  const { connector } = (await asked(`/connectors/${name}/status`)).body
  if (connector?.state === 'PAUSED' || connector?.state === 'STOPPED') await asked(`/connectors/${name}/resume`, 'PUT')
  let last = null
  for (const until = performance.now() + 90_000; performance.now() < until; await page.waitForTimeout(500)) {
    last = (await asked(`/api/v1/links/${name}`)).body
    if (last.health === 'HEALTHY' && last.tasks.running > 0 && last.tasks.running === last.tasks.total) return
  }
  assert.fail(`the link is not healthy within 90 s: ${last.health}: ${last.health_reason}; ${last.tasks.running} of ${last.tasks.total} tasks run`)
}

const parts = {
  async wizard() {
    await page.goto(`${worker}/ui/links/new`)
    await field('src.kafka.bootstrap.servers').fill(source)
    await field('dest.kafka.bootstrap.servers').fill(destination)
    await field('Name').fill(name)
    await page.getByRole('button', { name: 'Test the connections' }).click()
    await page.getByText('It could run').waitFor({ timeout: 30_000 })
    await step('tested')
    await next('Topics')
    await field('topic.regex').fill('orders.*')
    await page.getByText(/[1-9]\d* topics? of \d+ would be copied/).waitFor({ timeout: 30_000 })
    await step('preview')
    await next('Naming')
    await field('topic.rename.format').fill(`${name}.\${topic}`)
    await next('Settings and groups')
    await next('Delivery')
    // So that both workers of the group have some of it.
    await page.getByRole('searchbox', { name: 'Find a field' }).fill('tasks.max')
    await page.locator('[data-key="tasks.max"] input').fill('4')
    await page.getByRole('searchbox', { name: 'Find a field' }).fill('')
    await next('Review')
    await page.getByRole('cell', { name: `create ${name}.orders:`, exact: false }).waitFor({ timeout: 30_000 })
    const warned = page.getByLabel(/I have seen/)
    if (await warned.count()) await warned.check()
    await step('review')
    await page.getByRole('button', { name: 'Create link' }).click()
    await page.getByText('End offsets were compared').waitFor({ timeout: 60_000 })
    await step('created')

    await page.goto(address)
    await isHealthy()
    await step('healthy')
    await page.goto(`${address}/topics`)
    await page.getByRole('button', { name: /^orders/ }).first().waitFor()
    await page.getByText('replicating').first().waitFor({ timeout: 30_000 })
    await step('topics')
    await page.getByRole('button', { name: /^orders/ }).first().click()
    await page.getByText(/Partitions of orders/).waitFor()
    await step('partitions')
  },

  async numbers() {
    // A worker reads ends every two seconds, and a page reads the worker's every four: with a third of that for the way, and for the
    // client that reads the same at another moment.
    await equalsJudge('orders', 10_000)
    await equalsJudge('orders.lines', 10_000)
    await happens('produce orders 170')
    await equalsJudge('orders', 10_000)
    // The list says the same in one line.
    await page.goto(`${worker}/ui/links`)
    await listed.getByText('Healthy', { exact: true }).waitFor()
    assert.equal(await cellOf(listed, 'Topics'), '2')
    assert.equal(await cellOf(listed, 'Lag records'), '0')
    await page.goto(`${address}/lag?unit=records`)
    await page.getByText('By partition').waitFor()
    await step('lag')
  },

  async actions() {
    for (const [action, health] of [['Pause', 'Paused'], ['Resume', 'Healthy'], ['Stop…', 'Stopped'], ['Resume', 'Healthy']]) {
      await page.goto(address)
      await page.getByRole('button', { name: action, exact: true }).click()
      await page.getByRole('dialog').getByRole('button', { name: action.replace('…', ''), exact: true }).click()
      await banner.getByText(health, { exact: true }).waitFor({ timeout: 60_000 })
      await step(`${action.replace('…', '').toLowerCase()} leads to ${health.toLowerCase()}`)
    }
  },

  async edit() {
    await page.goto(`${address}/edit?step=delivery`)
    await field('Find a field').or(page.getByRole('searchbox', { name: 'Find a field' })).first().fill('tributary.health.lag.seconds')
    await field('tributary.health.lag.seconds').fill('90')
    await page.getByRole('button', { name: 'Review', exact: true }).click()
    await page.getByRole('cell', { name: 'tributary.health.lag.seconds' }).waitFor()
    await step('difference')
    // What somebody else has changed meanwhile is not overwritten: another key goes with mine, of the same key one is chosen.
    const others = { 'tributary.health.lag.seconds': '75', 'tributary.health.stall.ms': '15000' }
    const path = `/connectors/${name}/config`
    assert.equal((await asked(path, 'PUT', { ...(await asked(path)).body, ...others })).status, 200)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('heading', { name: 'Two changes at once' }).waitFor({ timeout: 30_000 })
    await page.getByRole('group', { name: 'Value of tributary.health.lag.seconds' }).getByRole('button', { name: 'yours' }).click()
    await step('two changes at once')
    await page.getByRole('button', { name: 'Go on with this' }).click()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.waitForURL(address, { timeout: 60_000 })
    const stored = (await asked(path)).body
    assert.deepEqual([stored['tributary.health.lag.seconds'], stored['tributary.health.stall.ms']], ['90', '15000'])
    await isHealthy()
    await page.goto(`${worker}/ui/`)
    await page.getByText('Needs attention').waitFor()
    await step('overview')
    await page.goto(`${worker}/ui/activity`)
    await page.getByText(name).first().waitFor()
    // Both changes of the configuration are told with what became another.
    await page.getByRole('button', { name: `${name} got another configuration` }).first().click()
    await page.getByRole('dialog').getByRole('cell', { name: 'tributary.health.lag.seconds' }).waitFor()
    await page.getByRole('dialog').getByText('90', { exact: true }).waitFor()
    await step('activity')
    await page.keyboard.press('Escape')
  },

  async screens() {
    // Nothing differs right after the copy; both clusters are reached.
    await page.goto(`${worker}/ui/drift?link=${name}`)
    await page.getByText(/\d+ deviations? in \d+ topics/).waitFor({ timeout: 60_000 })
    await step('drift')
    await page.goto(`${worker}/ui/clusters`)
    await page.locator('tr[data-row]').getByText('Pass').first().waitFor()
    await page.locator('tr[data-row] a').first().click()
    await page.getByText(new RegExp(`${name}, (reads it|writes to it)`)).waitFor()
    await step('cluster')
    await page.goto(`${worker}/ui/alerts`)
    await page.getByRole('row', { name: /inactive critical TributaryLinkFailed/ }).waitFor()
    await step('alerts')
  },

  async lag() {
    // Lag rises when the destination answers nothing, is not green meanwhile, and falls when it answers again.
    await page.goto(address)
    await happens('stop destination')
    await happens('produce orders 300')
    await banner.getByText(/^(Unknown|Failed|Degraded)$/).waitFor({ timeout: 60_000 })
    await page.waitForFunction(() => /(^|[^\d,.])300 records/.test(document.querySelector('main').innerText), null, { timeout: 60_000 })
    await step('lag rises while the destination hangs')
    await equalsJudge('orders', 30_000, false)
    await page.goto(address)
    await happens('heal')
    await isHealthy(90_000)
    await page.waitForFunction(() => /caught up|0 records/.test(document.querySelector('main').innerText), null, { timeout: 60_000 })
    await step('lag falls')
  },

  async 'cut off'() {
    // With nothing coming any more, what was healthy becomes unknown by itself, and comes back by itself.
    await page.goto(address)
    await isHealthy()
    await page.context().setOffline(true)
    const cut = await seen('cut off: unknown', 25, (timeout) => banner.getByText('Unknown', { exact: true }).waitFor({ timeout }))
    assert.ok(cut > 10, `${cut} s: evidence may be 20 s old`)
    assert.equal(await banner.locator('.tone-ok').count(), 0)
    assert.ok(await page.locator('.figures.aged').count(), 'figures are grey')
    await seen('cut off: no check is green', 10, (timeout) => page.waitForFunction(() => document.querySelectorAll('main .tone-ok').length === 0, null, { timeout }))
    await step('cut off')
    // What is asked anew is not answered: that the worker is gone is said, and nothing is green.
    await page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name: 'Links' }).click()
    await page.getByText('connection lost').waitFor({ timeout: 35_000 })
    assert.equal(await page.locator('main .tone-ok').count(), 0, 'nothing is green')
    await page.context().setOffline(false)
    await seen('connected: healthy', 45, (timeout) => listed.getByText('Healthy', { exact: true }).waitFor({ timeout }))
    await page.getByText('live', { exact: true }).waitFor({ timeout: 45_000 })
    await page.goto(address)
  },

  async frozen() {
    // A worker that is frozen: its connections stay, and it answers nothing. What it has is unknown, everywhere.
    await page.goto(address)
    await isHealthy()
    const { worker_id: here } = (await asked('/api/v1/info')).body
    const owners = (await items('tasks')).map((task) => ({ task: task.task, there: task.worker_id !== here, partitions: task.partitions, since: task.since, lag: task.lag }))
    assert.ok(owners.some((task) => task.there && task.partitions > 0), `the other worker has some of it: ${JSON.stringify(owners)}`)
    assert.ok(owners.every((task) => Date.parse(task.since) <= Date.now()), `since when: ${JSON.stringify(owners)}`)
    assert.ok(owners.filter((task) => task.partitions > 0).every((task) => task.lag.known && task.lag.records === 0), `how far behind: ${JSON.stringify(owners)}`)
    const frozen = (await items('partitions')).find((each) => each.worker_id !== here).topic
    await happens('freeze')
    await seen('a frozen worker: its link is unknown', 25, (timeout) => banner.getByText('Unknown', { exact: true }).waitFor({ timeout }))
    await step('frozen, link')
    await page.goto(`${worker}/ui/workers`)
    await page.locator('tr', { hasText: 'Unknown' }).first().waitFor({ timeout: 15_000 })
    await step('frozen, workers')
    await page.goto(`${worker}/ui/links`)
    await listed.getByText('Unknown', { exact: true }).waitFor({ timeout: 15_000 })
    assert.equal(await page.locator('td .tone-ok').count(), 0, 'no link is green')
    await page.goto(`${worker}/ui/`)
    await page.locator('.edge.unknown .name').first().waitFor({ timeout: 15_000 })
    await page.locator('a.health', { hasText: 'unknown' }).waitFor()
    assert.equal(await page.locator('.edge.ok').count(), 0, 'nothing on the map is green')
    await step('frozen, overview')
    await page.goto(`${address}/topics?topic=${frozen}`)
    await page.getByText(/Partitions of orders/).waitFor()
    await page.locator('[aria-label="partitions"] tr.aged').first().waitFor({ timeout: 15_000 })
    // Who does not answer stands on every screen, also where nothing of it is shown.
    await page.goto(`${worker}/ui/help`)
    await page.getByRole('region', { name: 'The group' }).getByText(/does not answer: \d+ partitions? (is|are) unknown/).waitFor({ timeout: 15_000 })
    await step('frozen, help')
    await page.goto(address)
    await happens('thaw')
    await seen('thawed: healthy', 120, isHealthy)
  },

  async repair() {
    // A topic is made anew at its source: it is told, explained, and repaired by what the explanation offers.
    await happens('recreate orders.lines')
    await page.goto(`${worker}/ui/`)
    await page.locator('.problem').getByText(/orders\.lines/).first().waitFor({ timeout: 90_000 })
    await step('needs attention')
    // The explanation leads there.
    await page.locator('.problem a', { hasText: 'orders.lines' }).first().click()
    await page.locator('[aria-label="partitions"] td', { hasText: 'source-recreated' }).first().waitFor({ timeout: 60_000 })
    await page.goto(`${address}/topics?topic=orders.lines&partition=0`)
    await page.getByRole('dialog').getByText('source-recreated').first().waitFor({ timeout: 60_000 })
    await step('explained')
    await page.getByRole('dialog').getByRole('button', { name: 'Append the new topic…' }).waitFor()
    await page.getByRole('dialog').getByRole('link', { name: 'What this state means' }).click()
    await page.waitForURL(`${worker}/ui/help/states/source-recreated`)
    await page.locator('details[open]').getByText('What to do', { exact: true }).waitFor()
    await page.goBack()
    await page.getByRole('dialog').getByRole('button', { name: 'Append the new topic…' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Append the new topic (2 partitions)…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Append the new topic (2 partitions)', exact: true }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await step('answered')
    await page.goto(address)
    await isHealthy(90_000).catch(async (cause) => {
      const rows = (await items('partitions')).map(({ topic, partition, state, reason, acked_offset, source_end_offset }) => `${topic}-${partition} ${state} ${reason} ${acked_offset}/${source_end_offset}`)
      process.stdout.write(`   ${rows.join('\n   ')}\n`)
      throw cause
    })
    // What the topic held before, and behind it what the new one holds.
    const sum = (all) => all.reduce((total, [first, end]) => total + end - first, 0)
    const [now, copy] = [sum((await ends('source'))['orders.lines']), sum((await ends('destination'))[`${name}.orders.lines`])]
    tell(`orders.lines: ${now} offsets at the source, ${copy} at the destination`)
    assert.ok(now === 50 && copy >= 550, 'appended')
    await step('repaired')
  },

  async 'first load'() {
    // The first load: in bytes as they come over the wire, and until the overview shows its data.
    const loads = []
    for (let times = 0; times < 5; times += 1) loads.push(await firstLoad(browser, `${worker}/ui/`, 'Needs attention'))
    const slowest = loads.map((each) => each.milliseconds).sort((left, right) => left - right)
    const heaviest = Math.max(...loads.map((each) => each.bytes))
    tell(`first load: ${(heaviest / 1000).toFixed(0)} KB in ${loads[0].files} answers, usable after ${slowest.map((each) => each.toFixed(0)).join(', ')} ms`)
    assert.ok(heaviest < 300_000, 'under 300 KB')
    assert.ok(slowest[2] < 1000, 'usable within a second')
  },

  async processor() {
    // What the worker spends on one browser, beside what it spends without.
    const spent = async () => {
      const [began, before] = [performance.now(), Number(await happens('processor'))]
      // sleeps because what is measured is a time
      await page.waitForTimeout(15_000)
      return ((Number(await happens('processor')) - before) / (performance.now() - began)) * 100
    }
    await page.goto('about:blank')
    const alone = await spent()
    for (const path of ['', 'links', `links/${name}/topics?topic=orders`, `links/${name}/lag`]) {
      await page.goto(`${worker}/ui/${path}`)
      const share = await spent()
      const judgement = judged ? '' : '; of a debug build that is told only'
      tell(`the worker takes ${share.toFixed(1)} % of a core while /ui/${path.replace(name, 'LINK')} is looked at, ${alone.toFixed(1)} % without${judgement}`)
      assert.ok(!judged || share - alone < 2, 'under two per cent of a core')
    }
    await page.goto(address)
  },

  async axe() {
    // axe, on what is really there.
    const found = []
    const { worker_id: here } = (await asked('/api/v1/info')).body
    for (const colorScheme of ['light', 'dark']) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme, bypassCSP: true, reducedMotion: 'reduce' })
      const looked = await context.newPage()
      for (const path of ['', 'links', 'overview?map=table', `links/${name}`, `links/${name}/topics?topic=orders`, `links/${name}/topics?topic=orders&partition=0`, `links/${name}/throughput`, `links/${name}/lag`, `links/${name}/tasks`, `links/${name}/config`, `links/${name}/config?view=stored`, `links/${name}/config?view=diff`, `links/${name}/activity`, ...['clusters', 'topics', 'naming', 'sync', 'delivery', 'review'].map((each) => `links/${name}/edit?step=${each}`), 'links/new', `preview?link=${name}`, 'topics', 'clusters', 'alerts', `drift?link=${name}`, 'workers', `workers?worker=${here}`, 'connectors', `connectors/${name}`, ...['config', 'topics', 'offsets'].map((each) => `connectors/${name}/${each}`), 'activity', 'help', 'help/states/source-recreated', 'help/explain#topic-authorization']) {
        await looked.goto(`${worker}/ui/${path}`)
        await looked.waitForFunction(() => document.querySelector('main') && !document.querySelector('[data-state="loading"]'))
        await looked.evaluate(AXE)
        const violations = await looked.evaluate(async () => (await globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })).violations.map((one) => `${one.impact} ${one.id}: ${one.nodes[0].target}`))
        const alerts = await looked.locator('[role=alert]').allInnerTexts()
        found.push(...alerts.map((text) => `${path}: ${text}`))
        found.push(...violations.map((one) => `${colorScheme} ${path}: ${one}`))
      }
      await context.close()
    }
    assert.deepEqual(found, [])
    await step('axe finds nothing')
  },

  async viewer() {
    // Who may only look: everything is there, and nothing that changes something.
    const viewer = await (await browser.newContext({ viewport: { width: 1280, height: 860 } })).newPage()
    await viewer.goto(`${guarded}/ui/links/guarded`)
    await viewer.getByLabel('Name', { exact: true }).fill('vera')
    await viewer.getByLabel('Password').fill('only-looks')
    await viewer.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
    await viewer.getByText('viewer vera').waitFor()
    await viewer.locator('.banner').getByText('Healthy', { exact: true }).waitFor({ timeout: 60_000 })
    const parts = ['Topics', 'Throughput', 'Lag', 'Tasks', 'Config', 'Activity'].map((place) => ['Parts of the link', place])
    const screens = ['Links', 'Topics', 'Preview', 'Drift', 'Clusters', 'Alerts', 'Workers', 'Connectors', 'Activity', 'Help', 'Overview'].map((place) => ['Screens', place])
    for (const [where, place] of [...parts, ...screens]) {
      await viewer.getByRole('navigation', { name: where }).getByRole('link', { name: place }).click()
      await viewer.waitForFunction(() => !document.querySelector('[data-state="loading"]'))
      assert.equal(await viewer.getByRole('button', { name: /^(Pause|Resume|Stop|Restart|Delete|Edit|Look for|Synchronise|Append|Copy anew|Set\b|Forget|Save|Reset)/ }).count(), 0, `${place}`)
      assert.equal(await viewer.getByRole('link', { name: /^(Create link|Edit|Clone)$/ }).count(), 0, `${place}`)
    }
    // What is not shown is refused as well, and nothing has become another.
    const authorization = `Basic ${Buffer.from('vera:only-looks').toString('base64')}`
    const ask = async (method, path, body) => fetch(guarded + path, { method, headers: { authorization, ...(body ? { 'Content-Type': 'application/json' } : {}) }, ...(body ? { body: JSON.stringify(body) } : {}) })
    const one = '/connectors/guarded'
    const told = async () => Promise.all([`${one}/config`, `${one}/status`, `${one}/offsets`, '/admin/loggers'].map(async (path) => (await ask('GET', path)).text()))
    const before = await told()
    const config = JSON.parse(before[0])
    const writes = [
      ['POST', '/connectors', { name: 'another', config }], ['PUT', `${one}/config`, { ...config, 'tasks.max': '2' }], ['PATCH', `${one}/config`, { 'tasks.max': '2' }], ['DELETE', one],
      ['PUT', `${one}/pause`], ['PUT', `${one}/resume`], ['PUT', `${one}/stop`], ['POST', `${one}/restart`], ['POST', `${one}/tasks/0/restart`], ['PATCH', `${one}/offsets`, { offsets: [] }], ['DELETE', `${one}/offsets`], ['PUT', `${one}/topics/reset`],
      ['PUT', '/admin/loggers/replication', { level: 'DEBUG' }], ['POST', '/api/v1/links/guarded:refresh'], ['POST', '/api/v1/links/guarded/topics/orders:resume', { action: 'resume' }], ['POST', '/api/v1/links/guarded/topics/orders:sync'],
      ['POST', '/api/v1/preview', { config }], ['POST', '/api/v1/preflight', { config }],
    ]
    for (const [method, path, body] of writes) assert.equal((await ask(method, path, body)).status, 403, `${method} ${path}`)
    assert.deepEqual(await told(), before)
    tell(`a viewer is refused ${writes.length} ways to change something`)
    if (pictures) await viewer.screenshot({ path: `${pictures}/worker-viewer.png` })
    tell('a viewer sees all and changes nothing')
  },

  async delete() {
    await page.goto(address)
    await page.getByRole('button', { name: 'Delete…' }).click()
    await page.getByRole('dialog').getByRole('textbox').fill(name)
    await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
    await page.waitForURL(`${worker}/ui/links`)
    await page.getByText(name).first().waitFor({ state: 'detached', timeout: 30_000 })
    await step('deleted')
  },
}

/** Takes back what a part that failed has left. */
async function restored() {
  await page.context().setOffline(false)
  await happens('thaw')
  await happens('heal')
}

const chosen = only ? only.split(',').map((each) => each.trim()) : Object.keys(parts)
assert.deepEqual(chosen.filter((each) => !(each in parts)), [], `parts are ${Object.keys(parts).join(', ')}`)
/** Parts that begin with no link of theirs, and such as need none that is well. */
const BEGINNING = new Set(['wizard', 'viewer'])
const ANYWAY = new Set(['first load', 'processor', 'axe', 'delete'])
const failed = []
for (const [title, part] of Object.entries(parts)) {
  if (!chosen.includes(title)) continue
  const begin = performance.now()
  try {
    if (!BEGINNING.has(title)) await (ANYWAY.has(title) ? exists() : healthy())
    await part()
    tell(`ok: ${title}, ${since(begin)}`)
  } catch (error) {
    failed.push(title)
    const text = await page.locator('main').innerText({ timeout: 2000 }).catch((cause) => `${cause}`)
    if (pictures) await page.screenshot({ path: `${pictures}/worker-failed-${title}.png` }).catch(() => null)
    process.stdout.write(`   ${page.url()}\n   ${text.slice(0, 2500).replaceAll('\n', '\n   ')}\n${error.stack}\n`)
    tell(`FAILED: ${title}, ${since(begin)}`)
    await restored()
  }
}
await browser.close()
if (problems.length) failed.push(`scripts that failed or broke the content policy: ${problems.join('; ')}`)
tell(failed.length ? `FAILED: ${failed.join(', ')}` : `ok: all of ${chosen.join(', ')}`)
process.exit(failed.length ? 1 : 0)
