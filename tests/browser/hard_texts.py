"""Texts that break careless layouts."""

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LONG_KOREAN = "띄어쓰기없이적은아주긴글" * 12
RIGHT_TO_LEFT = "مرحبا بالعالم — שלום עולם 123 (abc)"
SCRIPT = "<script>alert('반달')</script> & \"quotes\" <b>not bold</b>"
EMOJI = "👩🏽‍💻🇰🇷 🌗👨‍👩‍👧‍👦 e\u0301 ﷽"
LONG_ADDRESS = "https://example.com/" + "a-path-that-never-ends-" * 20 + "?q=" + "%EB%B0%98%EB%8B%AC" * 30
