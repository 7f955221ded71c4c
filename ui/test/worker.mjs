// The first link of a person, in a real browser against a real worker and real clusters:
// `node test/worker.mjs WORKER SOURCE DESTINATION [PICTURES]`, with topics `orders…` at the source.
import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

const [worker, source, destination, pictures] = process.argv.slice(2)
assert.ok(worker && source && destination, 'usage: node test/worker.mjs WORKER SOURCE DESTINATION [PICTURES]')
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const page = await (await browser.newContext({ viewport: { width: 1280, height: 860 } })).newPage()
const problems = []
page.on('pageerror', (error) => problems.push(error.message))
page.on('console', (message) => { if (/Content Security Policy|Refused/.test(message.text())) problems.push(message.text()) })
const step = async (name) => {
  if (pictures) await page.screenshot({ path: `${pictures}/worker-${name}.png` })
  process.stdout.write(`   ${name}\n`)
}
const name = `browser-${Date.now() % 100000}`
const field = (key) => page.getByRole('textbox', { name: key }).first()
const next = (label) => page.getByRole('button', { name: `Next: ${label}` }).click()
const address = `${worker}/ui/links/${name}`

await page.goto(`${worker}/ui/links/new`)
await field('src.kafka.bootstrap.servers').fill(source)
await field('dest.kafka.bootstrap.servers').fill(destination)
await field('Name').fill(name)
await next('Topics')
await field('topic.regex').fill('orders.*')
await page.getByText(/[1-9]\d* topics? of \d+ would be copied/).waitFor({ timeout: 30_000 })
await step('preview')
await next('Naming')
await field('topic.rename.format').fill(`${name}.\${topic}`)
await next('Settings and groups')
await next('Delivery')
await next('Review')
await page.getByRole('cell', { name: `create ${name}.orders:`, exact: false }).waitFor({ timeout: 30_000 })
const warned = page.getByLabel(/I have seen/)
if (await warned.count()) await warned.check()
await step('review')
await page.getByRole('button', { name: 'Create link' }).click()
await page.getByText('End offsets were compared').waitFor({ timeout: 60_000 })
await step('created')

await page.goto(address)
await page.locator('.banner').getByText('Healthy', { exact: true }).waitFor({ timeout: 60_000 })
await step('healthy')
await page.goto(`${address}/topics`)
await page.getByRole('button', { name: /^orders/ }).first().waitFor()
await page.getByText('replicating').first().waitFor({ timeout: 30_000 })
await step('topics')
await page.getByRole('button', { name: /^orders/ }).first().click()
await page.getByText(/Partitions of orders/).waitFor()
await step('partitions')
await page.goto(`${address}/lag?unit=records`)
await page.getByText('By partition').waitFor()
await step('lag')

for (const [action, health] of [['Pause', 'Paused'], ['Resume', 'Healthy'], ['Stop…', 'Stopped'], ['Resume', 'Healthy']]) {
  await page.goto(address)
  await page.getByRole('button', { name: action, exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: action.replace('…', ''), exact: true }).click()
  await page.locator('.banner').getByText(health, { exact: true }).waitFor({ timeout: 60_000 })
  await step(`${action.replace('…', '').toLowerCase()} leads to ${health.toLowerCase()}`)
}

await page.goto(`${address}/edit?step=delivery`)
await field('Find a field').or(page.getByRole('searchbox', { name: 'Find a field' })).first().fill('tributary.health.lag.seconds')
await field('tributary.health.lag.seconds').fill('90')
await page.getByRole('button', { name: 'Review', exact: true }).click()
await page.getByRole('cell', { name: 'tributary.health.lag.seconds' }).waitFor()
await step('difference')
await page.getByRole('button', { name: 'Save' }).click()
await page.waitForURL(address, { timeout: 60_000 })
await page.locator('.banner').getByText('Healthy', { exact: true }).waitFor({ timeout: 60_000 })
await page.goto(`${worker}/ui/`)
await page.getByText('Needs attention').waitFor()
await step('overview')
await page.goto(`${worker}/ui/activity`)
await page.getByText(name).first().waitFor()
await step('activity')

await page.goto(address)
await page.getByRole('button', { name: 'Delete…' }).click()
await page.getByRole('dialog').getByRole('textbox').fill(name)
await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
await page.waitForURL(`${worker}/ui/links`)
await page.getByText(name).first().waitFor({ state: 'detached', timeout: 30_000 })
await step('deleted')
assert.deepEqual(problems, [])
await browser.close()
