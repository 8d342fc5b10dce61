// The parameter types of a kernel as text, and a way to call it with an array of pointers.
#pragma once

namespace emu {

// One letter for each element type; 's' is a struct, of which only the size is known.
template <class T, class = void>
struct Code {
  static constexpr char value = 's';
};
template <class T>
struct Code<T, decltype((void)T::emu_code)> {
  static constexpr char value = T::emu_code;
};
#define EMU_CODE(T, LETTER)               \
  template <>                             \
  struct Code<T, void> {                  \
    static constexpr char value = LETTER; \
  };
EMU_CODE(float, 'f') EMU_CODE(double, 'd') EMU_CODE(bool, '?') EMU_CODE(void, 'v')
EMU_CODE(char, 'b') EMU_CODE(signed char, 'b') EMU_CODE(unsigned char, 'B')
EMU_CODE(short, 'h') EMU_CODE(unsigned short, 'H') EMU_CODE(int, 'i') EMU_CODE(unsigned, 'I')
EMU_CODE(long, 'q') EMU_CODE(unsigned long, 'Q')
EMU_CODE(long long, 'q') EMU_CODE(unsigned long long, 'Q')

#define EMU_CODES(NAME, LETTER)                       \
  EMU_CODE(NAME##1, LETTER) EMU_CODE(NAME##2, LETTER) \
  EMU_CODE(NAME##3, LETTER) EMU_CODE(NAME##4, LETTER)
EMU_CODES(float, 'f') EMU_CODES(double, 'd') EMU_CODES(int, 'i') EMU_CODES(uint, 'I')
EMU_CODES(short, 'h') EMU_CODES(ushort, 'H') EMU_CODES(char, 'b') EMU_CODES(uchar, 'B')
EMU_CODES(longlong, 'q') EMU_CODES(ulonglong, 'Q')

template <class T>
struct Size {
  static constexpr int size = sizeof(T), align = alignof(T);
};
template <>
struct Size<void> {
  static constexpr int size = 1, align = 1;
};
template <class T>
struct Bare {
  using type = T;
};
template <class T>
struct Bare<const T> {
  using type = T;
};
template <class T>
struct Bare<volatile T> {
  using type = T;
};
template <class T>
struct Bare<const volatile T> {
  using type = T;
};

struct Parameter {
  char kind, code;  // kind: 'p' pointer, 'c' pointer to const, 'v' value
  int size, align;  // of what is pointed to, or of the value
};
template <class T>
struct Describe {
  using U = typename Bare<T>::type;
  static constexpr Parameter value = {'v', Code<U>::value, Size<U>::size, Size<U>::align};
};
template <class T>
struct Describe<T*> {
  using U = typename Bare<T>::type;
  static constexpr Parameter value = {'p', Code<U>::value, Size<U>::size, Size<U>::align};
};
template <class T>
struct Describe<const T*> {
  using U = typename Bare<T>::type;
  static constexpr Parameter value = {'c', Code<U>::value, Size<U>::size, Size<U>::align};
};

// Mirrored in launch.py.
struct Kernel {
  void (*call)(void** arguments);
  int count;
  const Parameter* parameters;
};

template <int... I>
struct Indices {};
template <int N, int... I>
struct Count : Count<N - 1, N - 1, I...> {};
template <int... I>
struct Count<0, I...> {
  using type = Indices<I...>;
};

template <auto Function, class... A>
struct Bind {
  static constexpr Parameter parameters[] = {Describe<A>::value..., {0, 0, 0, 0}};
  template <int... I>
  EMU_UNWATCHED static void spread(void** arguments, Indices<I...>) {
    Function(*static_cast<typename Bare<A>::type*>(arguments[I])...);
  }
  EMU_UNWATCHED static void call(void** arguments) {
    spread(arguments, typename Count<sizeof...(A)>::type());
  }
};
template <auto Function, class... A>
constexpr Kernel describe(void (*)(A...)) {
  return {&Bind<Function, A...>::call, sizeof...(A), Bind<Function, A...>::parameters};
}

}  // namespace emu
