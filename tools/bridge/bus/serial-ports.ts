/** The serial ports of this machine that may be boards, by their USB ids. */
import { readdir, readFile, realpath } from "node:fs/promises"
import { dirname, join } from "node:path"

export interface BoardPort {
    path: string
    vendorId: number
    productId: number
    /** What sits behind an id like this. */
    kind: string
}

/** Makers of boards and of the USB-to-serial chips on them. `devs flash` looks for the same (devicescript cli/src/flash.ts). */
const makers = new Map([
    [0x2e8a, "Raspberry Pi Pico"],
    [0x303a, "ESP32 (its own USB)"],
    [0x10c4, "CP210x adapter, as on many ESP32 boards"],
    [0x1a86, "CH34x adapter, as on many ESP32 boards"],
])

export async function boardPorts(): Promise<BoardPort[]> {
    const ports = process.platform === "linux" ? await linuxPorts() : await listedPorts()
    return ports
        .flatMap(port => {
            const kind = makers.get(port.vendorId)
            return kind ? [{ ...port, kind }] : []
        })
        .sort((one, other) => (one.path < other.path ? -1 : 1))
}

type Port = Omit<BoardPort, "kind">

/** serialport asks `udevadm`, which containers and small systems do not have; the kernel tells the same. */
async function linuxPorts(sysfs = "/sys/class/tty"): Promise<Port[]> {
    const ports: Port[] = []
    for (const name of await readdir(sysfs).catch(() => []))
        if (/^tty(ACM|USB)\d+$/.test(name)) {
            const ids = await usbIds(join(sysfs, name, "device"))
            if (ids) ports.push({ path: `/dev/${name}`, ...ids })
        }
    return ports
}

/** The USB device is one of the folders above the port's interface. */
async function usbIds(device: string): Promise<{ vendorId: number; productId: number } | undefined> {
    let folder = await realpath(device).catch(() => "/")
    for (let level = 0; level < 4 && folder !== "/"; level++) {
        const read = (name: string) =>
            readFile(join(folder, name), "utf8").then(
                text => parseInt(text, 16),
                () => NaN,
            )
        const [vendorId, productId] = [await read("idVendor"), await read("idProduct")]
        if (!Number.isNaN(vendorId) && !Number.isNaN(productId)) return { vendorId, productId }
        folder = dirname(folder)
    }
    return undefined
}

async function listedPorts(): Promise<Port[]> {
    const { SerialPort } = await import("serialport")
    const ports = await SerialPort.list()
    return ports.flatMap(({ path, vendorId, productId }) =>
        vendorId === undefined
            ? []
            : [{ path, vendorId: parseInt(vendorId, 16), productId: parseInt(productId ?? "0", 16) }],
    )
}
