// Deliberate faults of the firmware, each as exact replacements of its text, put into a copy of the sources at build time. They show that
// the campaign can fail. One whose text is not found any more stops with its name: the firmware has changed, and the fault has to follow.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { buildProgram, firmwareSources } from "../../tools/sim/bytecode"
import { projectRoot } from "../../tools/sim/devs-cli"

interface Edit {
    file: string
    text: string
    by: string
}

export interface Planted {
    name: string
    edits: Edit[]
}

export const plantedBugs: readonly Planted[] = [
    {
        name: "reply before the copy",
        edits: [
            {
                file: "src/server/outbox.ts",
                text: "        if (!copied) if (isProtected(node)) if (now < outbox.replies[i].dueMs) continue\n",
                by: "",
            },
            {
                file: "src/server/outbox.ts",
                text: "            frame[7] |= flagUnprotected\n            outbox.uncopiedMs = now\n",
                by: "",
            },
        ],
    },
    {
        name: "skip the fence",
        edits: [
            {
                file: "src/pair/role.ts",
                text: "    claim(s, cause, nowMs, actions)\n    pullReset(s, actions)\n",
                by: "    claim(s, cause, nowMs, actions)\n",
            },
            {
                file: "src/pair/role.ts",
                text: "        } else if (s.partnerOwn) {\n            if (nowMs - s.sinceMs > fenceMsMax)",
                by: "        } else if (s.partnerOwn && s.stepped) {\n            if (nowMs - s.sinceMs > fenceMsMax)",
            },
            {
                file: "src/pair/role.ts",
                text: "    } else if (event === evTick) {\n        if (s.partnerOwn) endTakeover(s, vetoLines, nowMs, actions)\n        else if (nowMs",
                by: "    } else if (event === evTick) {\n        if (nowMs",
            },
        ],
    },
    {
        name: "drop the epoch check",
        edits: [
            {
                file: "src/server/hosted.ts",
                text: "    if (epoch !== 0) if (epoch !== hosted.epoch % 0x10000) return wrongEpoch\n",
                by: "    if (epoch !== 0) if (!hosted) return wrongEpoch\n",
            },
        ],
    },
    {
        // what the owner finished before it was lost is finished again, too
        name: "replay twice",
        edits: [
            {
                file: "src/server/worker.ts",
                text: "        if (isDone(hosted.requests, frame)) return\n",
                by: "        isDone(hosted.requests, frame)\n",
            },
            {
                file: "src/server/worker.ts",
                text: "        const status = await execute(this, hosted, frame, bytes)\n        if (status !== silent) reply(this, hosted, frame, status)\n    }\n",
                by:
                    "        const status = await execute(this, hosted, frame, bytes)\n        if (status !== silent) reply(this, hosted, frame, status)\n" +
                    '        const sequence = frame.getAt(12, "u32")\n        frame.setAt(12, "u32", sequence + 1)\n' +
                    '        await execute(this, hosted, frame, bytes)\n        frame.setAt(12, "u32", sequence)\n    }\n',
            },
        ],
    },
    {
        name: "forget the session table",
        edits: [
            {
                file: "src/store/restore.ts",
                text: 'import { loadPins } from "./snapshots"\n',
                by: 'import { storeResult } from "./sessions"\nimport { loadPins } from "./snapshots"\n',
            },
            {
                file: "src/store/restore.ts",
                text: "    beginCleaner(volume.cleaner)\n    volume.tree.load()\n",
                by:
                    "    for (let i = 1; i <= 8; i++) storeResult(volume.log.root, i, 1, 0, 0)\n" +
                    "    beginCleaner(volume.cleaner)\n    volume.tree.load()\n",
            },
        ],
    },
    {
        name: "commit before data",
        edits: [
            {
                file: "src/store/volume.ts",
                text: "        await this.tree.flush(levelsMax)\n        await this.log.commitRoot()\n",
                by: "        await this.log.commitRoot()\n        await this.tree.flush(levelsMax)\n",
            },
        ],
    },
    {
        name: "keep a stale copy",
        edits: [
            {
                file: "src/pair/journal.ts",
                text: "    return journal.nowMs - journal.heardMs[slot] > abandonedMs\n",
                by: "    return journal.nowMs - journal.heardMs[slot] > 100 * abandonedMs\n",
            },
        ],
    },
    {
        name: "heartbeat never expires",
        edits: [
            {
                file: "src/pair/role.ts",
                text: "    return s.aloneTicks >= confirmTicks && nowMs - s.heardBusMs <= busQuietMs\n",
                by: "    return s.aloneTicks >= 0 && nowMs < 0\n",
            },
        ],
    },
    {
        name: "a replaced element leaves at once",
        edits: [
            {
                file: "src/store/rebuild.ts",
                text: "        if (slot === array.slots[position]) await dropElements(array, 1 << position)\n        else labelState = stateLeftOut\n",
                by: "        await dropElements(array, 1 << position)\n",
            },
        ],
    },
    {
        // harmless to all that is stored, and of no use to anybody
        name: "full after a failover",
        edits: [
            {
                file: "src/store/requests.ts",
                text: "async function create(requests: Requests, session: number): Promise<number> {\n    const volume = requests.volume\n",
                by:
                    "async function create(requests: Requests, session: number): Promise<number> {\n    const volume = requests.volume\n" +
                    "    if (volume.log.epoch > 1) return noSpace\n",
            },
        ],
    },
    {
        name: "a mount forgets open uploads",
        edits: [
            {
                file: "src/store/restore.ts",
                text: "    await findUploads(volume)\n",
                by: "    await findUploads(volume)\n    for (let i = 0; i < uploadsMax; i++) volume.uploads[i].object = 0\n",
            },
        ],
    },
    {
        name: "copies are never finished",
        edits: [
            {
                file: "src/server/control.ts",
                text: "            if (slot < 0) return true\n",
                by: "            if (slot < 0 || slot >= 0) return true\n",
            },
        ],
    },
    {
        name: "tell a copy and keep none",
        edits: [
            {
                file: "src/pair/journal.ts",
                text: "    } else numbers[mark] = number\n    journal.sizes[slot] = bytes\n",
                by: "    } else numbers[mark] = number\n    if (!isAhead) return\n    journal.sizes[slot] = bytes\n",
            },
        ],
    },
    {
        name: "never give back by itself",
        edits: [
            {
                file: "src/pair/role.ts",
                text: "    if (s.role !== takenOver) return -1\n",
                by: "    if (s.role !== takenOver || s.role === takenOver) return -1\n",
            },
        ],
    },
]

/** A source of the firmware with what a fault changes in it. Throws when what is to be changed is not there, once. */
function edited({ file, text, by }: Edit, before: string): string {
    const count = before.split(text).length - 1
    if (count !== 1) throw new Error(`its text is ${count} times in ${file}, not once:\n${text}`)
    return before.replace(text, () => by)
}

/** Throws when a fault is not to be had in the firmware as it is. */
export function checkPlanted({ name, edits }: Planted): void {
    for (const edit of edits)
        try {
            edited(edit, readFileSync(join(projectRoot, edit.file), "utf8"))
        } catch (error) {
            throw new Error(`planted fault "${name}": ${(error as Error).message}`)
        }
}

/** Builds the firmware with a planted fault. Returns the file of the image. */
export function buildPlanted({ name, edits }: Planted): string {
    checkPlanted({ name, edits })
    const folder = join(projectRoot, "build", "planted", name.replace(/ /g, "-"))
    rmSync(folder, { recursive: true, force: true })
    const sources = { ...firmwareSources(), root: folder }
    for (const input of sources.inputs) {
        const from = join(projectRoot, input)
        if (!existsSync(from)) continue
        mkdirSync(dirname(join(folder, input)), { recursive: true })
        cpSync(from, join(folder, input), { recursive: true })
    }
    for (const edit of edits) {
        const path = join(folder, edit.file)
        writeFileSync(path, edited(edit, readFileSync(path, "utf8")))
    }
    const image = join(folder, "image.devs")
    writeFileSync(image, buildProgram(sources))
    return image
}
