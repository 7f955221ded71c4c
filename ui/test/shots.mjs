// Screens of the control center as pictures, for a person to look at. `node test/shots.mjs FOLDER [filter]`
// Every screen is taken light, dark, on a phone, empty and failed; some also while they load, with old evidence, after the worker
// has gone, with a thousand links, and for somebody who may only look.
import { mkdir } from 'node:fs/promises'
import { chromium } from 'playwright-core'
import { createMock } from '../mock/main.mjs'

const folder = process.argv[2] ?? 'shots'
const only = process.argv[3] ?? ''
const FIXED = {
  overview: '/ui/', 'overview-table': '/ui/overview?map=table', links: '/ui/links', topics: '/ui/topics', clusters: '/ui/clusters', workers: '/ui/workers', alerts: '/ui/alerts', drift: '/ui/drift',
  connectors: '/ui/connectors', activity: '/ui/activity', help: '/ui/help',
}
/** Of one link, whose name stands for LINK. */
const OF_LINK = {
  'link-health': '/ui/links/LINK', 'link-topics': '/ui/links/LINK/topics', 'link-throughput': '/ui/links/LINK/throughput', 'link-lag': '/ui/links/LINK/lag?unit=records', 'link-tasks': '/ui/links/LINK/tasks',
  'link-config': '/ui/links/LINK/config', 'link-activity': '/ui/links/LINK/activity', 'wizard-edit': '/ui/links/LINK/edit?step=review', preview: '/ui/preview?link=LINK', 'drift-link': '/ui/drift?link=LINK',
  connector: '/ui/connectors/LINK', 'connector-config': '/ui/connectors/LINK/config', 'connector-topics': '/ui/connectors/LINK/topics', 'connector-offsets': '/ui/connectors/LINK/offsets',
}
const NEW = Object.fromEntries(['clusters', 'topics', 'naming', 'sync', 'delivery', 'review'].map((step) => [`wizard-${step}`, `/ui/links/new?step=${step}`]))
const of = (link) => Object.fromEntries(Object.entries(OF_LINK).map(([screen, path]) => [screen, path.replace('LINK', link)]))
const NORMAL = {
  ...FIXED, ...of('audit-dr'),
  'link-throughput': '/ui/links/payments/throughput', 'link-lag': '/ui/links/payments/lag', 'link-config': '/ui/links/orders-dr/config', 'link-diff': '/ui/links/orders-dr/config?view=diff&before=5', preview: '/ui/preview?link=orders-dr', 'drift-link': '/ui/drift?link=orders-dr', 'connector-offsets': '/ui/connectors/archive/offsets',
  'link-partitions': '/ui/links/audit-dr/topics?topic=audit.sessions', 'link-partition': '/ui/links/audit-dr/topics?topic=audit.sessions&partition=3', cluster: '/ui/clusters/Pl4nT9fXSSu3w1EeYQz0Mg', 'help-state': '/ui/help/states/source-recreated', 'help-error': '/ui/help/explain#topic-authorization', worker: '/ui/workers?worker=worker-1:8083', 'links-filtered': '/ui/links?f.lags=%3E1',
  ...Object.fromEntries(['topics', 'naming', 'sync', 'delivery', 'review'].map((step) => [`wizard-${step}`, `/ui/links/orders-dr/edit?step=${step}`])), 'wizard-clusters': NEW['wizard-clusters'],
}
const SIZES = { wide: [1280, 860], phone: [390, 844] }

await mkdir(folder, { recursive: true })
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })

/** Pictures of these screens; `first` is done with the worker when all of them show their data. */
async function shoot(name, scenario, theme, size, paths, first = null) {
  const wanted = Object.entries(paths).map(([screen, path]) => [screen, path, `${screen}${name}-${theme}-${size}.png`]).filter(([, , file]) => file.includes(only))
  if (wanted.length === 0) return
  const mock = createMock(scenario)
  const origin = await mock.listen()
  const context = await browser.newContext({ viewport: { width: SIZES[size][0], height: SIZES[size][1] }, colorScheme: theme })
  const open = async (path) => {
    const page = await context.newPage()
    await page.goto(origin + path)
    return page
  }
  const take = async (page, file) => {
    await page.screenshot({ path: `${folder}/${file}`, fullPage: true })
    await page.close()
  }
  if (first) {
    const pages = []
    for (const [, path] of wanted) pages.push(await open(path))
    await first(mock, pages)
    for (const [index, [, , file]] of wanted.entries()) await take(pages[index], file)
  } else {
    for (const [screen, path, file] of wanted) {
      const page = await open(path)
      // sleeps because a picture of moving data has no end to wait for
      await page.waitForTimeout(screen === 'link-lag' && scenario === 'normal' ? 16_000 : 900)
      await take(page, file)
    }
  }
  await context.close()
  mock.close()
}

for (const theme of ['light', 'dark']) for (const size of ['wide', 'phone']) await shoot('', 'normal', theme, size, NORMAL)
// Nothing there yet: no link at all, or one that was just made and has done nothing.
await shoot('-empty', 'empty', 'light', 'wide', { ...FIXED, ...NEW, preview: '/ui/preview' })
await shoot('-empty', 'bare', 'light', 'wide', { ...of('new-link'), preview: '/ui/preview?link=new-link' })
// Failed: nothing was ever read, and read before but no longer.
await shoot('-failed', 'failing', 'light', 'wide', { ...FIXED, ...of('orders-dr'), ...NEW })
const READ_AGAIN = ['overview', 'links', 'topics', 'clusters', 'workers', 'connectors', 'link-health', 'link-topics', 'link-lag', 'link-tasks', 'connector']
// One at a time: of pages that are not in front nothing is drawn.
for (const [screen, path] of Object.entries({ ...FIXED, ...of('audit-dr') })) {
  if (READ_AGAIN.includes(screen)) await shoot('-gone', 'normal', 'light', 'wide', { [screen]: path }, async (mock, [page]) => {
    await page.locator('[data-state="data"]').first().waitFor()
    mock.fail()
    await page.locator('[data-state="stale"]').first().waitFor({ timeout: 20_000 })
  })
}
const SOME = { overview: FIXED.overview, links: FIXED.links, topics: FIXED.topics, workers: FIXED.workers, clusters: FIXED.clusters, alerts: FIXED.alerts, 'link-health': '/ui/links/orders-dr', 'link-topics': '/ui/links/orders-dr/topics' }
for (const scenario of ['loading', 'stale', 'viewer']) await shoot(`-${scenario}`, scenario, 'light', 'wide', SOME)
await shoot('-large', 'large', 'light', 'wide', { overview: FIXED.overview, links: FIXED.links, topics: FIXED.topics, 'link-lag': '/ui/links/link-0001/lag' })
await shoot('-empty', 'empty', 'dark', 'phone', { overview: FIXED.overview, links: FIXED.links })
await shoot('-failed', 'failing', 'dark', 'phone', { overview: FIXED.overview, 'link-health': '/ui/links/orders-dr' })
await shoot('-password', 'password', 'light', 'wide', { 'sign-in': FIXED.overview })
await browser.close()
