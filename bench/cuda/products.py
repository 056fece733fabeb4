"""Times every tile and number of splits of the CUDA products on layers of real networks, as JSON lines.

    python bench/cuda/products.py [--precision f32] [--batch 1] [--splits 3] > products.jsonl

The cost model's coefficients in tinycnn/kernels/cuda/tuning.py come from these figures. Needs a CUDA device.
"""

import argparse
import dataclasses
import json
import statistics
import sys

import numpy as np

from tinycnn.kernels.cuda import conv_im2col, epilogue, tuning
from tinycnn.kernels.cuda.conv_im2col import Plan, Product, conv, pack
from tinycnn.kernels.cuda.driver import Launch, device, open_gpu
from tinycnn.kernels.cuda.sum_splits import sum_splits

# ci, h, co, kernel, stride; groups are the 36 elements of Winograd's F(4, 3) where the kernel is 0.
LAYERS = (
    (64, 224, 64, 3, 1), (128, 112, 128, 3, 1), (256, 56, 256, 3, 1), (512, 28, 512, 3, 1), (512, 14, 512, 3, 1),
    (64, 56, 64, 1, 1), (64, 56, 256, 1, 1), (256, 56, 64, 1, 1), (128, 28, 512, 1, 1), (512, 28, 128, 1, 1),
    (256, 14, 1024, 1, 1), (1024, 14, 256, 1, 1), (512, 7, 2048, 1, 1), (2048, 7, 512, 1, 1), (1024, 7, 1024, 1, 1),
    (128, 56, 128, 3, 2), (256, 14, 256, 3, 1), (512, 7, 512, 3, 1), (64, 56, 128, 1, 2), (32, 112, 64, 1, 1),
    (512, 14, 512, 1, 1), (192, 28, 64, 1, 1), (4096, 1, 4096, 1, 1), (512, 1, 1000, 1, 1),
    (64, 56, 64, 0, 1), (256, 56, 256, 0, 1), (512, 14, 512, 0, 1),
)  # fmt: skip


def product(layer: tuple[int, ...], batch: int) -> Product:
    ci, h, co, k, s = layer
    if not k:
        tiles = min(batch * (-(-h // 4)) ** 2, 1600)
        return Product(1, 36, ci, 1, tiles, co, 1, tiles)
    out = (h - 1) // s + 1
    return Product(batch, 1, ci, h, h, co, out, out, k, k, s, s, pt=k // 2, pl=k // 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", default="f32", choices=list(tuning.TILES))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--splits", type=int, default=3, help="numbers of splits to time for each tile")
    args = parser.parse_args()
    target, gpu = device(0, args.precision), open_gpu()
    rng = np.random.default_rng(0)
    for layer in LAYERS:
        p = product(layer, args.batch)
        weights = rng.standard_normal((p.groups, p.co, p.ci, p.kh, p.kw), np.float32)
        x = rng.standard_normal((p.images, p.groups, p.ci, p.h, p.wd), np.float32)
        size = p.images * p.groups * p.co * p.oh * p.ow
        there = gpu.allocate(x.nbytes)
        gpu.copy("to device", x.ctypes.data, there, x.nbytes)
        result = gpu.allocate(4 * size)
        for tile in tuning.TILES[args.precision]:
            packed = pack(weights, tile)
            u = gpu.allocate(packed.nbytes)
            gpu.copy("to device", packed.ctypes.data, u, packed.nbytes)
            plans = [plan for plan in conv_im2col.plans(p, target) if plan.tile == tile]
            for plan in sorted(plans, key=lambda plan: plan.time_s)[: args.splits]:
                parts = gpu.allocate(4 * plan.splits * size) if plan.splits > 1 else result
                tasks = launches(plan, there, u, parts, result, target.name)
                work = gpu.work([dataclasses.replace(t, after=(i - 1,) if i else ()) for i, t in enumerate(tasks * 8)])
                work.run()
                seconds = statistics.median(work.seconds(1) / 8 for _ in range(5))
                macs = size * p.ci * p.kh * p.kw
                told = {"layer": layer, "batch": args.batch, "tile": str(tile), "splits": plan.splits}
                told |= {"us": seconds * 1e6, "predicted_us": plan.time_s * 1e6, "tflops": 2e-12 * macs / seconds}
                print(json.dumps(told | {"precision": args.precision}), flush=True)
                if plan.splits > 1:
                    gpu.free(parts)
            gpu.free(u)
        gpu.free(there)
        gpu.free(result)
    print(gpu.title, file=sys.stderr)


def launches(plan: Plan, x: int, w: int, parts: int, y: int, target: str) -> list[Launch]:
    """The rows of a plan, as `Plan.emit` writes them."""
    p = plan.product
    nothing = epilogue.values(None)
    row = vars(p) | {"x": x, "w": w, "b": 0, "r": 0, "y": parts, "splits": plan.splits} | nothing
    rows = [(conv(plan.tile, "clamp", target), row)]
    if plan.splits > 1:
        size = p.images * p.groups * p.co * p.oh * p.ow
        end = {"parts": parts, "b": 0, "r": 0, "y": y, "count": size, "splits": plan.splits}
        rows.append((sum_splits("clamp", target), end | {"channels": p.co, "area": p.oh * p.ow} | nothing))
    found = []
    for kernel, values in rows:
        slots = np.zeros(len(kernel.fields), np.int64)
        for i, f in enumerate(kernel.fields):
            if f.kind == "f32":
                slots[i : i + 1].view(np.float32)[0] = values[f.name]
            else:
                slots[i] = values[f.name]
        found.append(Launch((), kernel, kernel.blocks(argparse.Namespace(**values)), slots))
    return found


if __name__ == "__main__":
    main()
