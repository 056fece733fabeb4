/* Runs the blocks of a grid one after another, and a block's threads as fibers: warp by warp, each from one barrier to
   the next, starting with another one every time, so that what depends on their order shows.

   Functions named after instructions of PTX are what kernels call in their place; see software.py. */
#define _GNU_SOURCE
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WARP = 32, MOST_THREADS = 1024, MOST_COPIES = 512, SHARED_BYTES = 228 << 10 };
enum { STACK = (128 << 10) + 65 * 64 }; /* no power of two: stacks would meet in the same few lines of the cache */
enum state { RUNNING, AT_BARRIER, AT_MMA, RETURNED };

struct copy { uint32_t to; int nbytes, group; char data[16]; };
struct fragments { float c[4]; uint32_t a[4], b[2]; };
struct fiber {
  void *stack;
  enum state state;
  int groups, copies; /* of copies to shared memory: committed, and still to arrive */
  struct copy pending[MOST_COPIES];
  struct fragments fragments;
};

static pthread_mutex_t one_grid = PTHREAD_MUTEX_INITIALIZER;
static struct fiber fibers[MOST_THREADS], *self;
static char *stacks;
static void *scheduler;
static unsigned block[3];
static void (*kernel)(uint64_t *);
static uint64_t *row;
static void (*numbers)(uint32_t word, float *two);
static const char *fault;

static unsigned chance(unsigned below) {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (state >> 33) % below;
}

/* x86-64, System V: keeps the registers that belong to the caller on the stack, and goes on upon another. */
__attribute__((naked, noipa)) static void change(void **from, void *to) {
  __asm__("push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15; mov %rsp, (%rdi); mov %rsi, %rsp;"
          "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret");
}

static void stop(enum state state) {
  self->state = state;
  change(&self->stack, scheduler);
}

static void body(void) {
  kernel(row);
  stop(RETURNED);
}

static void start(struct fiber *f) {
  void **top = (void **)(stacks + (f - fibers + 1) * (size_t)STACK) - 2;
  top[0] = (void *)body;
  f->stack = memset(top - 6, 0, 6 * sizeof *top);
  f->state = RUNNING;
  f->groups = f->copies = 0;
}

#define REGISTER(name, value) \
  unsigned mov_u32_##name(void) { return value; } \
  unsigned read_ptx_sreg_##name(void) { return value; }
REGISTER(tid_x, self - fibers)
REGISTER(tid_y, 0)
REGISTER(tid_z, 0)
REGISTER(ctaid_x, block[0])
REGISTER(ctaid_y, block[1])
REGISTER(ctaid_z, block[2])
void barrier0(void) { stop(AT_BARRIER); }

static void copy(uint32_t to, uint64_t from, uint32_t wanted, int nbytes) {
  if (to < SHARED || to + nbytes > SHARED + SHARED_BYTES || to % nbytes || (wanted && from % nbytes))
    fault = "a copy is misaligned, or not to shared memory";
  else if (self->copies == MOST_COPIES)
    fault = "more copies are under way than the device of software has room for";
  else {
    struct copy *made = &self->pending[self->copies++];
    *made = (struct copy){to, nbytes, self->groups};
    memcpy(made->data, (void *)from, wanted);
  }
}
void cp_async_ca_shared_global_4(uint32_t to, uint64_t from, uint32_t wanted) { copy(to, from, wanted, 4); }
void cp_async_cg_shared_global_16(uint32_t to, uint64_t from, uint32_t wanted) { copy(to, from, wanted, 16); }
void cp_async_commit_group(void) { self->groups++; }

static void arrive(int groups) {
  int left = 0;
  for (int i = 0; i < self->copies; i++) {
    struct copy *made = &self->pending[i];
    if (made->group < groups) memcpy((void *)(uintptr_t)made->to, made->data, made->nbytes);
    else self->pending[left++] = *made;
  }
  self->copies = left;
}
void cp_async_wait_group_0(void) { arrive(self->groups); }
void cp_async_wait_group_1(void) { arrive(self->groups - 1); }
void cp_async_wait_group_2(void) { arrive(self->groups - 2); }
void cp_async_wait_group_3(void) { arrive(self->groups - 3); }

static uint32_t bits(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static float number(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
static uint32_t bf16(float x) { return isnan(x) ? 0x7fff : (bits(x) + 0x7fff + (bits(x) >> 16 & 1)) >> 16; }
uint32_t cvt_rna_tf32_f32(float x) { return isfinite(x) ? (bits(x) + 0x1000) & ~0x1fff : bits(x); }
uint32_t cvt_rn_bf16x2_f32(float low, float high) { return bf16(low) | bf16(high) << 16; }
uint32_t cvt_rn_f16x2_f32(float low, float high) { return _cvtss_sh(low, 0) | (uint32_t)_cvtss_sh(high, 0) << 16; }

static void in_tf32(uint32_t word, float *x) { x[0] = number(word & ~0x1fff), x[1] = 0; }
static void in_bf16(uint32_t word, float *x) { x[0] = number(word << 16), x[1] = number(word >> 16 << 16); }
static void in_f16(uint32_t word, float *x) { x[0] = _cvtsh_ss(word), x[1] = _cvtsh_ss(word >> 16); }

/* PTX ISA, warp-level matrix fragments for mma.m16n8k8 (.tf32) and mma.m16n8k16 (.f16, .bf16). */
static void multiply(struct fiber *warp) {
  float a[16][16], b[8][16];
  for (int lane = 0; lane < WARP; lane++) {
    struct fragments *f = &warp[lane].fragments;
    int group = lane / 4, at = lane % 4;
    for (int i = 0; i < 4; i++) numbers(f->a[i], &a[group + i % 2 * 8][2 * (at + i / 2 * 4)]);
    for (int i = 0; i < 2; i++) numbers(f->b[i], &b[group][2 * (at + 4 * i)]);
  }
  for (int lane = 0; lane < WARP; lane++)
    for (int i = 0; i < 4; i++) {
      double sum = warp[lane].fragments.c[i];
      const float *x = a[lane / 4 + i / 2 * 8], *y = b[2 * (lane % 4) + i % 2];
      for (int k = 0; k < 16; k++) sum += (double)x[k] * y[k];
      warp[lane].fragments.c[i] = sum;
    }
}

#define MMA(name, function) \
  void name(float *d, float c0, float c1, float c2, float c3, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, \
            uint32_t b0, uint32_t b1) { \
    struct fiber *f = self; \
    f->fragments = (struct fragments){{c0, c1, c2, c3}, {a0, a1, a2, a3}, {b0, b1}}; \
    numbers = function; \
    stop(AT_MMA); \
    memcpy(d, f->fragments.c, sizeof f->fragments.c); \
  }
MMA(mma_sync_aligned_m16n8k8_row_col_f32_tf32_tf32_f32, in_tf32)
MMA(mma_sync_aligned_m16n8k16_row_col_f32_bf16_bf16_f32, in_bf16)
MMA(mma_sync_aligned_m16n8k16_row_col_f32_f16_f16_f32, in_f16)

static int in_state(const struct fiber *first, int count, enum state state) {
  int found = 0;
  for (int i = 0; i < count; i++) found += first[i].state == state;
  return found;
}

/* To the next barrier, or the end. */
static void run_warp(struct fiber *warp, int count) {
  do {
    for (int i = 0, first = chance(count); i < count; i++) {
      self = &warp[(first + i) % count];
      if (self->state == AT_MMA) self->state = RUNNING;
      if (self->state == RUNNING) change(&scheduler, self->stack);
    }
    int multiplying = in_state(warp, count, AT_MMA);
    if (multiplying == WARP) multiply(warp);
    else if (multiplying) fault = "some threads of a warp miss an mma";
  } while (!fault && in_state(warp, count, AT_MMA));
}

static void run_block(int threads) {
  memset((void *)SHARED, 0xff, SHARED_BYTES);
  for (int i = 0; i < threads; i++) start(&fibers[i]);
  int warps = (threads + WARP - 1) / WARP;
  do {
    for (int i = 0; i < threads; i++) if (fibers[i].state == AT_BARRIER) fibers[i].state = RUNNING;
    for (int i = 0, first = chance(warps); i < warps && !fault; i++) {
      int from = (first + i) % warps * WARP;
      run_warp(&fibers[from], from + WARP < threads ? WARP : threads - from);
    }
    if (!fault && in_state(fibers, threads, RETURNED) % threads) fault = "some threads of a block miss a barrier";
  } while (!fault && !in_state(fibers, threads, RETURNED));
}

/* When the library is loaded, before anything else takes the addresses of shared memory. */
__attribute__((constructor)) static void reserve(void) {
  int access = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
  stacks = mmap(0, (size_t)STACK * MOST_THREADS, access, flags | MAP_NORESERVE, -1, 0);
  void *shared = mmap((void *)SHARED, SHARED_BYTES, access, flags | MAP_FIXED_NOREPLACE, -1, 0);
  if (stacks == MAP_FAILED || shared != (void *)SHARED) {
    fprintf(stderr, "the device of software finds no memory at the addresses of shared memory\n");
    abort();
  }
}

int launch(const char *name, void (*asked)(uint64_t *), uint64_t *given, const unsigned blocks[3], unsigned threads) {
  pthread_mutex_lock(&one_grid);
  kernel = asked, row = given;
  for (block[2] = 0; block[2] < blocks[2] && !fault; block[2]++)
    for (block[1] = 0; block[1] < blocks[1] && !fault; block[1]++)
      for (block[0] = 0; block[0] < blocks[0] && !fault; block[0]++) run_block(threads);
  if (fault) fprintf(stderr, "%s: %s\n", name, fault);
  int failed = !!fault;
  fault = 0;
  pthread_mutex_unlock(&one_grid);
  return failed;
}

/* libdevice's names for what the C library has under others. */
float __nv_fdiv_rn(float x, float y) { return x / y; }
float __nv_fsqrt_rn(float x) { return sqrtf(x); }
float __nv_rsqrtf(float x) { return 1 / sqrtf(x); }
int __nv_isnanf(float x) { return isnan(x); }
int __nv_isinff(float x) { return isinf(x) != 0; }
