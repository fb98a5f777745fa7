/** A link over a serial port, or over any byte stream that speaks its framing. */
import type { Duplex } from "node:stream"
import type { SerialPort } from "serialport"
import { TwinfilerError } from "../error"
import type { Clock } from "./clock"
import { jacdacFrameBytesMax } from "./jacdac-frame"
import { enableFrames, FrameUnquoter, isBridgeFrame, quoteFrame } from "./serial-framing"
import type { Link, LinkEvents, OpenLink } from "./transport"

/** USB has no bit rate; an adapter with a real serial line is used at the rate `devs` uses. */
const baudRate = 1_500_000
/** A board that was silent for so long is asked for frames again: its chip may have restarted behind an adapter that did not. */
const askAgainMs = 300
/** What may wait to be written: a board that reads nothing any more must not fill the host's memory. */
const unwrittenBytesMax = 64 * 1024

export function serialLink(path: string, clock: Clock): OpenLink {
    return async events => {
        const port = await openPort(path)
        return byteLink(port, events, clock, () => {
            // `destroy` alone leaves the port open, and a read of it that never ends
            if (port.isOpen) port.close(() => undefined)
        })
    }
}

/** Frames over a stream that is open. */
export function byteLink(
    stream: Duplex,
    events: LinkEvents,
    clock: Clock,
    release: () => void = () => stream.destroy(),
): Link {
    let heard = false
    let closed = false
    let timer: unknown
    const unquoter = new FrameUnquoter(frame => {
        heard = true
        if (!isBridgeFrame(frame)) events.onFrame(frame)
    })
    const write = (frame: Uint8Array) => {
        if (!closed && stream.writable && stream.writableLength < unwrittenBytesMax) stream.write(quoteFrame(frame))
    }
    const ask = () => {
        if (closed) return
        if (!heard) write(enableFrames())
        heard = false
        timer = clock.setTimeout(ask, askAgainMs)
    }
    const end = (reason: string) => {
        if (closed) return
        closed = true
        clock.clearTimeout(timer)
        release()
        events.onClose(reason)
    }
    stream.on("data", (bytes: Buffer) => unquoter.push(bytes))
    stream.on("error", error => end(error.message))
    stream.on("close", () => end("closed"))
    ask()
    return {
        send: frame => {
            if (frame.length <= jacdacFrameBytesMax) write(frame)
        },
        close: () => end("closed"),
    }
}

async function openPort(path: string): Promise<SerialPort> {
    const { SerialPort } = await import("serialport") // with its native part: only when a port is wanted
    return new Promise((resolve, reject) => {
        const port = new SerialPort({ path, baudRate, autoOpen: false })
        port.open(error => (error ? reject(portError(path, error)) : resolve(port)))
    })
}

function portError(path: string, error: Error): TwinfilerError {
    const { message } = error
    const todo = /denied|EACCES/i.test(message)
        ? "you may not use it: on Linux add yourself to its group (`sudo usermod -aG dialout $USER`, then log in again)"
        : /lock|busy|EBUSY/i.test(message)
          ? "another program has it: close it, or let it be `devs devtools` and give --bus auto"
          : /no such|ENOENT|not found/i.test(message)
            ? "it is not there: plug the board in; `twinfiler doctor` lists what is there"
            : /ioctl|is a directory|ENOTTY/i.test(message)
              ? "it is no serial port: `twinfiler doctor` lists those of boards"
              : message
    return new TwinfilerError("noBus", `serial port ${path}: ${todo}`)
}
