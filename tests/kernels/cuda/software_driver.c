/* libcuda.so.1 for machines without a GPU: what tinycnn asks of the driver, done in the host's memory.

   Every allocation ends where memory begins that cannot be touched. A graph's nodes run in any order that their
   dependencies allow. Calls that need a current context refuse without one, as NVIDIA's driver does. */
#define _GNU_SOURCE
#include <cuda.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, ALIGN = 256, MOST_ARGUMENTS = 64, MOST_THREADS = 1024 };
static const size_t MEMORY = (size_t)64 << 30;
static const CUcontext CONTEXT = (CUcontext)1;

int launch(const char *name, void (*kernel)(uint64_t *), uint64_t *row, const unsigned blocks[3], unsigned threads);

static __thread CUcontext current;
static size_t used;

#define NEED(condition, error) do { if (!(condition)) return CUDA_ERROR_##error; } while (0)
#define IN_CONTEXT NEED(current == CONTEXT, INVALID_CONTEXT)
#define DONE return CUDA_SUCCESS

CUresult cuInit(unsigned flags) { DONE; }
CUresult cuDriverGetVersion(int *version) { *version = CUDA_VERSION; DONE; }
CUresult cuDeviceGetCount(int *count) { *count = 1; DONE; }
CUresult cuDeviceGet(CUdevice *device, int number) { NEED(!number, INVALID_DEVICE); *device = 0; DONE; }
CUresult cuDeviceGetName(char *name, int size, CUdevice device) { snprintf(name, size, "Software"); DONE; }
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) { *context = CONTEXT; DONE; }
CUresult cuCtxSetCurrent(CUcontext context) { NEED(context == CONTEXT, INVALID_CONTEXT); current = context; DONE; }
CUresult cuCtxGetCurrent(CUcontext *context) { *context = current; DONE; }
CUresult cuCtxSynchronize(void) { IN_CONTEXT; DONE; }

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
  const char *asked = getenv("TINYCNN_GPU"), *capability = asked ? strchr(asked, '-') : 0; /* as in software-7.5 */
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = capability ? capability[1] - '0' : 9; DONE;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = capability ? capability[3] - '0' : 0; DONE;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 132; DONE;
    default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}

CUresult cuGetErrorName(CUresult error, const char **text) { *text = "an error of the device of software"; DONE; }
CUresult cuGetErrorString(CUresult error, const char **text) {
  static __thread char number[40];
  snprintf(number, sizeof number, "CUresult %d", error);
  *text = number;
  DONE;
}

/* A page that holds the size of all, the n bytes, NaN at first, and a page that faults. */
static char *allocated(size_t n) {
  size_t room = (n + ALIGN - 1) / ALIGN * ALIGN, end = PAGE + (room + PAGE - 1) / PAGE * PAGE;
  char *start = mmap(0, end + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || mprotect(start + end, PAGE, PROT_NONE)) return 0;
  memset(start + PAGE, 0xff, end - PAGE);
  *(size_t *)start = end + PAGE;
  return start + end - room;
}

static size_t freed(void *address) {
  char *start = (char *)((uintptr_t)address / PAGE * PAGE - PAGE);
  size_t all = *(size_t *)start;
  munmap(start, all);
  return all;
}

CUresult cuMemAlloc(CUdeviceptr *address, size_t n) {
  IN_CONTEXT;
  NEED(n, INVALID_VALUE);
  NEED(n < MEMORY - used, OUT_OF_MEMORY);
  NEED(*address = (CUdeviceptr)allocated(n), OUT_OF_MEMORY);
  __sync_fetch_and_add(&used, *(size_t *)(*address / PAGE * PAGE - PAGE));
  DONE;
}
CUresult cuMemFree(CUdeviceptr address) { IN_CONTEXT; __sync_fetch_and_sub(&used, freed((void *)address)); DONE; }
CUresult cuMemGetInfo(size_t *left, size_t *total) { IN_CONTEXT; *total = MEMORY; *left = MEMORY - used; DONE; }

CUresult cuMemAllocHost(void **address, size_t n) {
  IN_CONTEXT;
  NEED(n, INVALID_VALUE);
  NEED(*address = allocated(n), OUT_OF_MEMORY);
  DONE;
}
CUresult cuMemFreeHost(void *address) { IN_CONTEXT; freed(address); DONE; }

CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t n) { IN_CONTEXT; memcpy((void *)to, from, n); DONE; }
CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t n) { IN_CONTEXT; memcpy(to, (void *)from, n); DONE; }
CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t n) {
  IN_CONTEXT;
  memcpy((void *)to, (void *)from, n);
  DONE;
}

CUresult cuPointerGetAttribute(void *data, CUpointer_attribute asked, CUdeviceptr address) {
  switch (asked) {
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *(unsigned *)data = CU_MEMORYTYPE_DEVICE; DONE;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)data = 0; DONE;
    case CU_POINTER_ATTRIBUTE_IS_MANAGED: *(int *)data = 0; DONE;
    case CU_POINTER_ATTRIBUTE_HOST_POINTER: *(void **)data = 0; DONE;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *(CUdeviceptr *)data = address; DONE;
    default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}
CUresult cuPointerGetAttributes(unsigned count, CUpointer_attribute *asked, void **data, CUdeviceptr address) {
  CUresult error = CUDA_SUCCESS;
  for (unsigned i = 0; i < count && !error; i++) error = cuPointerGetAttribute(data[i], asked[i], address);
  return error;
}

/* A module is a shared library of this processor behind its length: the kernel, which takes its arguments as a row
   of slots, and the bytes of each, ended by 0. */
struct CUfunc_st { const char *name; void (*kernel)(uint64_t *); const unsigned char *sizes; };

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  IN_CONTEXT;
  char path[40];
  int file = memfd_create("module", 0); /* stays open: the loader would take the next of its path for the same */
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  uint64_t nbytes = *(const uint64_t *)image;
  NEED(write(file, (const char *)image + sizeof nbytes, nbytes) == (ssize_t)nbytes, INVALID_IMAGE);
  *module = (CUmodule)dlopen(path, RTLD_NOW);
  if (!*module) fprintf(stderr, "%s\n", dlerror());
  NEED(*module, INVALID_IMAGE);
  DONE;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  IN_CONTEXT;
  struct CUfunc_st found = {strdup(name), dlsym(module, name), dlsym(module, "argument_sizes")};
  NEED(found.kernel && found.sizes, NOT_FOUND);
  *function = malloc(sizeof found);
  **function = found;
  DONE;
}

struct CUgraphNode_st {
  size_t waits; /* for so many earlier ones, `after` */
  CUgraphNode *after;
  size_t run; /* in which run it was done last */
  CUfunction function; /* 0 for a copy */
  unsigned blocks[3], threads;
  uint64_t row[MOST_ARGUMENTS];
  void *from, *to;
  size_t nbytes;
};
struct CUgraph_st { size_t count, room; CUgraphNode *nodes; };
struct CUgraphExec_st { struct CUgraph_st graph; size_t run; };

static CUresult added(CUgraph graph, const CUgraphNode *after, size_t waits, CUgraphNode made, CUgraphNode *out) {
  for (size_t i = 0, j; i < waits; i++) {
    for (j = 0; j < graph->count && graph->nodes[j] != after[i]; j++) {}
    NEED(j < graph->count, INVALID_VALUE);
  }
  made->waits = waits;
  made->after = memcpy(malloc(waits * sizeof *after + 1), after, waits * sizeof *after);
  if (graph->count == graph->room) {
    graph->room = 2 * graph->room + 64;
    graph->nodes = realloc(graph->nodes, graph->room * sizeof made);
  }
  *out = graph->nodes[graph->count++] = made;
  DONE;
}

CUresult cuGraphAddKernelNode(
    CUgraphNode *out, CUgraph graph, const CUgraphNode *after, size_t waits, const CUDA_KERNEL_NODE_PARAMS *asked) {
  IN_CONTEXT;
  unsigned x = asked->gridDimX, y = asked->gridDimY, z = asked->gridDimZ, threads = asked->blockDimX;
  NEED(x && x < 1u << 31 && y && y < 1 << 16 && z && z < 1 << 16, INVALID_VALUE);
  NEED(threads && threads <= MOST_THREADS && asked->blockDimY == 1 && asked->blockDimZ == 1, INVALID_VALUE);
  NEED(!asked->sharedMemBytes && !asked->extra, INVALID_VALUE);
  struct CUgraphNode_st node = {.function = asked->func, .blocks = {x, y, z}, .threads = threads};
  const unsigned char *sizes = asked->func->sizes;
  for (int i = 0; sizes[i]; i++) memcpy(&node.row[i], asked->kernelParams[i], sizes[i]);
  return added(graph, after, waits, memcpy(malloc(sizeof node), &node, sizeof node), out);
}

CUresult cuGraphAddMemcpyNode(
    CUgraphNode *out, CUgraph graph, const CUgraphNode *after, size_t waits, const CUDA_MEMCPY3D *asked,
    CUcontext context) {
  IN_CONTEXT;
  NEED(context == CONTEXT, INVALID_CONTEXT);
  NEED(asked->WidthInBytes && asked->Height == 1 && asked->Depth == 1, INVALID_VALUE);
  struct CUgraphNode_st node = {.nbytes = asked->WidthInBytes};
  node.from = asked->srcMemoryType == CU_MEMORYTYPE_HOST ? (void *)asked->srcHost : (void *)asked->srcDevice;
  node.to = asked->dstMemoryType == CU_MEMORYTYPE_HOST ? asked->dstHost : (void *)asked->dstDevice;
  return added(graph, after, waits, memcpy(malloc(sizeof node), &node, sizeof node), out);
}

CUresult cuGraphCreate(CUgraph *graph, unsigned flags) { IN_CONTEXT; *graph = calloc(1, sizeof **graph); DONE; }
CUresult cuGraphDestroy(CUgraph graph) { IN_CONTEXT; free(graph); DONE; }

/* Takes the nodes along: a graph is made into one of these, once, or given up. */
CUresult cuGraphInstantiate(CUgraphExec *made, CUgraph graph, unsigned long long flags) {
  IN_CONTEXT;
  *made = calloc(1, sizeof **made);
  (*made)->graph = *graph;
  DONE;
}

CUresult cuGraphExecDestroy(CUgraphExec made) {
  IN_CONTEXT;
  for (size_t i = 0; i < made->graph.count; i++) {
    free(made->graph.nodes[i]->after);
    free(made->graph.nodes[i]);
  }
  free(made->graph.nodes);
  free(made);
  DONE;
}

static int done(CUgraphNode node) {
  if (!node->function) return memcpy(node->to, node->from, node->nbytes), 0;
  return launch(node->function->name, node->function->kernel, node->row, node->blocks, node->threads);
}

CUresult cuGraphLaunch(CUgraphExec made, CUstream stream) {
  IN_CONTEXT;
  size_t run = ++made->run;
  for (size_t left = made->graph.count; left;)
    for (size_t i = made->graph.count; i-- > 0;) { /* the last first, so that a missing dependency shows */
      CUgraphNode node = made->graph.nodes[i];
      size_t ready = node->run < run;
      for (size_t j = 0; j < node->waits; j++) ready = ready && node->after[j]->run == run;
      if (!ready) continue;
      NEED(!done(node), LAUNCH_FAILED);
      node->run = run;
      left--;
      break;
    }
  DONE;
}

CUresult cuStreamCreate(CUstream *stream, unsigned flags) { IN_CONTEXT; *stream = malloc(1); DONE; }
CUresult cuStreamSynchronize(CUstream stream) { IN_CONTEXT; DONE; }
CUresult cuStreamDestroy(CUstream stream) { IN_CONTEXT; free(stream); DONE; }

static CUresult absent(void) { return CUDA_ERROR_NOT_SUPPORTED; }

CUresult cuGetProcAddress(
    const char *symbol, void **function, int version, cuuint64_t flags, CUdriverProcAddressQueryResult *found) {
  Dl_info here;
  dladdr((void *)cuInit, &here);
  void *library = dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  *function = 0;
  const char *suffixes[] = {"_v2", "", "WithFlags"};
  for (int i = 0; i < 3 && !*function; i++) {
    char name[200];
    snprintf(name, sizeof name, "%s%s", symbol, suffixes[i]);
    *function = dlsym(library, name);
  }
  if (!*function) *function = (void *)absent;
  if (found) *found = CU_GET_PROC_ADDRESS_SUCCESS;
  DONE;
}
