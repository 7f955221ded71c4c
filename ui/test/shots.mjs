// Screens of the control center as pictures, for a person to look at. `node test/shots.mjs FOLDER [filter]`
import { mkdir } from 'node:fs/promises'
import { chromium } from 'playwright-core'
import { createMock } from '../mock/main.mjs'

const folder = process.argv[2] ?? 'shots'
const only = process.argv[3] ?? ''
const SCREENS = {
  overview: '/ui/', 'overview-table': '/ui/overview?map=table', links: '/ui/links', 'link-health': '/ui/links/audit-dr', 'link-topics': '/ui/links/audit-dr/topics', 'link-partitions': '/ui/links/audit-dr/topics?topic=audit.sessions', 'link-partition': '/ui/links/audit-dr/topics?topic=audit.sessions&partition=3',
  topics: '/ui/topics', 'link-throughput': '/ui/links/payments/throughput', 'link-lag': '/ui/links/payments/lag?unit=records', 'link-tasks': '/ui/links/audit-dr/tasks', 'link-config': '/ui/links/orders-dr/config', 'link-activity': '/ui/links/audit-dr/activity', 'wizard-clusters': '/ui/links/new', 'wizard-topics': '/ui/links/orders-dr/edit?step=topics', 'wizard-review': '/ui/links/orders-dr/edit?step=review', preview: '/ui/preview?link=orders-dr',
  drift: '/ui/drift', clusters: '/ui/clusters', cluster: '/ui/clusters/Pl4nT9fXSSu3w1EeYQz0Mg', alerts: '/ui/alerts', workers: '/ui/workers', connectors: '/ui/connectors', connector: '/ui/connectors/audit-dr', activity: '/ui/activity', help: '/ui/help',
}
const SIZES = { wide: [1280, 860], phone: [390, 844] }

await mkdir(folder, { recursive: true })
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const shoot = async (name, scenario, theme, size, paths) => {
  const mock = createMock(scenario)
  const origin = await mock.listen()
  const context = await browser.newContext({ viewport: { width: SIZES[size][0], height: SIZES[size][1] }, colorScheme: theme })
  for (const [screen, path] of Object.entries(paths)) {
    const file = `${screen}${name}-${theme}-${size}.png`
    if (only && !file.includes(only)) continue
    const page = await context.newPage()
    await page.goto(origin + path)
    // sleeps because a picture of moving data has no end to wait for
    await page.waitForTimeout(screen === 'link-lag' ? 16_000 : 1100)
    await page.screenshot({ path: `${folder}/${file}`, fullPage: size === 'phone' })
    await page.close()
  }
  await context.close()
  mock.close()
}
for (const theme of ['light', 'dark']) for (const size of ['wide', 'phone']) await shoot('', 'normal', theme, size, SCREENS)
const SOME = { overview: '/ui/', links: '/ui/links', topics: '/ui/topics', 'link-stale': '/ui/links/orders-dr', workers: '/ui/workers', activity: '/ui/activity', clusters: '/ui/clusters', drift: '/ui/drift', alerts: '/ui/alerts' }
for (const scenario of ['empty', 'failing', 'loading', 'stale', 'large', 'password']) await shoot(`-${scenario}`, scenario, 'light', 'wide', SOME)
await browser.close()
